;; Counts what is published under the pattern in its config-data. An empty message asks
;; for the count, one digit.
  (import "airssys:core/host-messaging@1.0.0" "subscribe" (func $subscribe
    (param $pattern i32) (param i32) (param $result i32)))
  (global $count (mut i32) (i32.const 0))

  ;; Subscriptions end with the instance, so each one makes its own.
  (func (export "airssys:core/component-lifecycle@1.0.0#initialize")
    (param $env i32) (param i32) (param $has-data i32) (param $data i32)
    (param $size i32) (param i64) (param i64) (param i32) (param i64) (result i32)
    (call $subscribe (local.get $data) (local.get $size) (i32.const 128))
    (if (i32.load8_u (i32.const 128)) (then unreachable))
    (call $nothing))

  (func (export "airssys:core/component-lifecycle@1.0.0#handle-message")
    (param $message i32) (result i32)
    (if (i32.load offset=28 (local.get $message)) (then
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (return (call $nothing))))
    (i32.store8 (i32.const 2048) (i32.add (i32.const 48) (global.get $count)))
    (call $answer (i32.const 2048) (i32.const 1)))
