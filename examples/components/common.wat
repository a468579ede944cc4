;; What all guests here have in common. It is appended to each of them to make one
;; module.

  (memory (export "memory") 1)

  ;; Where the host puts the next argument. After each message it is reset to what
  ;; `initialize` kept.
  (global $kept (mut i32) (i32.const 8192))
  (global $free (mut i32) (i32.const 8192))
  (func (export "cabi_realloc") (param $old i32) (param $old-size i32)
    (param $align i32) (param $size i32) (result i32) (local $new i32)
    (local.set $new (i32.and (i32.const -8) (i32.add (global.get $free) (i32.const 7))))
    (global.set $free (i32.add (local.get $new) (local.get $size)))
    (if (i32.gt_u (global.get $free) (i32.const 65536)) (then unreachable))
    (local.get $new))
  (func (export "cabi_post_airssys:core/component-lifecycle@1.0.0#handle-message")
    (param i32)
    (global.set $free (global.get $kept)))

  ;; The `config-data` that the host passes to `initialize`.
  (global $config (mut i32) (i32.const 0))
  (global $config-size (mut i32) (i32.const 0))
  (func $keep-config (param $at i32) (param $size i32)
    (global.set $config (local.get $at))
    (global.set $config-size (local.get $size))
    (global.set $kept (global.get $free)))

  ;; Answers are at 64: ok with nothing, ok with bytes.
  (func $nothing (result i32)
    (i64.store (i32.const 64) (i64.const 0))
    (i32.const 64))
  (func $answer (param $at i32) (param $size i32) (result i32)
    (i64.store (i32.const 64) (i64.const 0x100000000))
    (i32.store offset=8 (i32.const 64) (local.get $at))
    (i32.store offset=12 (i32.const 64) (local.get $size))
    (i32.const 64))

  (func (export "airssys:core/component-lifecycle@1.0.0#handle-callback")
    (param i32) (result i32)
    (call $nothing))
  ;; Everything at 256 is zero: no name, no version, and so on.
  (func (export "airssys:core/component-lifecycle@1.0.0#metadata") (result i32)
    (i32.const 256))
  (func (export "airssys:core/component-lifecycle@1.0.0#health") (result i32)
    (i32.const 0))
  (func (export "airssys:core/component-lifecycle@1.0.0#shutdown") (result i32)
    (call $nothing))
