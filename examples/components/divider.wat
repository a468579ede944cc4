;; Answers `12/4` with `3`. The answer is one digit. `1/0` traps, as division
;; does in WebAssembly.
  (func (export "airssys:core/component-lifecycle@1.0.0#initialize")
    (param $env i32) (param i32) (param $has-data i32) (param $data i32)
    (param $size i32) (param i64) (param i64) (param i32) (param i64) (result i32)
    (call $nothing))

  (func (export "airssys:core/component-lifecycle@1.0.0#handle-message")
    (param $message i32) (result i32) (local $at i32)
    (local.set $at (i32.load offset=24 (local.get $message)))
    (global.set $stop (i32.add (local.get $at)
      (i32.load offset=28 (local.get $message))))
    (i32.store8 (i32.const 2048) (i32.add (i32.const 48) (i32.div_u
      (call $read (local.get $at))
      (call $read (i32.add (global.get $end) (i32.const 1))))))
    (call $answer (i32.const 2048) (i32.const 1)))

  ;; The number that begins at an address; `end` is the address after it, and `stop` the
  ;; one after the message.
  (global $end (mut i32) (i32.const 0))
  (global $stop (mut i32) (i32.const 0))
  (func $read (param $at i32) (result i32) (local $value i32) (local $digit i32)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $at) (global.get $stop)))
      (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
      (br_if $done (i32.gt_u (local.get $digit) (i32.const 9)))
      (local.set $value (i32.add (local.get $digit)
        (i32.mul (local.get $value) (i32.const 10))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next)))
    (global.set $end (local.get $at))
    (local.get $value))
