;; Asks the divider on behalf of others, and is suspended until it answers. If there is
;; no answer, the clerk reports that and keeps running.
  (import "airssys:core/host-messaging@1.0.0" "ask" (func $ask
    (param $namespace i32) (param i32) (param $name i32) (param i32)
    (param $instance i32) (param i32) (param $payload i32) (param i32)
    (param $timeout-ms i64) (param $result i32)))
  (data (i32.const 1024) "local" "divider" "0" "not a number")

  (func (export "airssys:core/component-lifecycle@1.0.0#initialize")
    (param $env i32) (param i32) (param $has-data i32) (param $data i32)
    (param $size i32) (param i64) (param i64) (param i32) (param i64) (result i32)
    (call $nothing))

  (func (export "airssys:core/component-lifecycle@1.0.0#handle-message")
    (param $message i32) (result i32)
    (call $ask (i32.const 1024) (i32.const 5) (i32.const 1029) (i32.const 7)
      (i32.const 1036) (i32.const 1)
      (i32.load offset=24 (local.get $message))
      (i32.load offset=28 (local.get $message))
      (i64.const 5000) (i32.const 128))
    ;; The result is an error, as the first byte shows.
    (if (i32.load8_u (i32.const 128))
      (then (return (call $answer (i32.const 1037) (i32.const 12)))))
    (call $answer (i32.load offset=4 (i32.const 128))
      (i32.load offset=8 (i32.const 128))))
