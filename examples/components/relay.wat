;; Appends a mark to each message and sends it on. The config-data has the target and
;; the mark: `weigher: packed` appends `, packed` and sends to `local/weigher/0`.
  (import "airssys:core/host-messaging@1.0.0" "send" (func $send
    (param $namespace i32) (param i32) (param $name i32) (param i32)
    (param $instance i32) (param i32) (param $payload i32) (param i32)
    (param $result i32)))
  (data (i32.const 1024) "local" "0" ", ")

  (func (export "airssys:core/component-lifecycle@1.0.0#initialize")
    (param $env i32) (param i32) (param $has-data i32) (param $data i32)
    (param $size i32) (param i64) (param i64) (param i32) (param i64) (result i32)
    (call $keep-config (local.get $data) (local.get $size))
    ;; The name ends at the colon.
    (loop $next
      (global.set $name-size (i32.add (global.get $name-size) (i32.const 1)))
      (br_if $next (i32.ne (i32.const 58)  ;; ':'
        (i32.load8_u (i32.add (local.get $data) (global.get $name-size))))))
    (call $nothing))
  (global $name-size (mut i32) (i32.const 0))

  (func (export "airssys:core/component-lifecycle@1.0.0#handle-message")
    (param $message i32) (result i32) (local $size i32) (local $mark-size i32)
    (local.set $size (i32.load offset=28 (local.get $message)))
    (local.set $mark-size (i32.sub (i32.sub (global.get $config-size)
      (global.get $name-size)) (i32.const 2)))
    ;; At 2048: the payload, the comma, the mark.
    (memory.copy (i32.const 2048) (i32.load offset=24 (local.get $message))
      (local.get $size))
    (memory.copy (i32.add (i32.const 2048) (local.get $size))
      (i32.const 1030) (i32.const 2))
    (memory.copy (i32.add (i32.const 2050) (local.get $size))
      (i32.add (i32.add (global.get $config) (global.get $name-size)) (i32.const 2))
      (local.get $mark-size))
    (call $send (i32.const 1024) (i32.const 5)
      (global.get $config) (global.get $name-size)
      (i32.const 1029) (i32.const 1)
      (i32.const 2048)
      (i32.add (i32.add (local.get $size) (i32.const 2)) (local.get $mark-size))
      (i32.const 128))
    (if (i32.load8_u (i32.const 128)) (then unreachable))
    (call $nothing))
