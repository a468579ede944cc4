;; Publishes each message under the topic in its config-data.
  (import "airssys:core/host-messaging@1.0.0" "publish" (func $publish
    (param $topic i32) (param i32) (param $payload i32) (param i32)
    (param $result i32)))

  (func (export "airssys:core/component-lifecycle@1.0.0#initialize")
    (param $env i32) (param i32) (param $has-data i32) (param $data i32)
    (param $size i32) (param i64) (param i64) (param i32) (param i64) (result i32)
    (call $keep-config (local.get $data) (local.get $size))
    (call $nothing))

  (func (export "airssys:core/component-lifecycle@1.0.0#handle-message")
    (param $message i32) (result i32)
    (call $publish (global.get $config) (global.get $config-size)
      (i32.load offset=24 (local.get $message))
      (i32.load offset=28 (local.get $message)) (i32.const 128))
    (if (i32.load8_u (i32.const 128)) (then unreachable))
    (call $nothing))
