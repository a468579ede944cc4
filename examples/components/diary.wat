;; Stores each message under the key "last", reads the clock, and looks who else is there.
;; It answers three letters, `y` or `n`: was it stored, is the time known, is anyone seen.
  (import "airssys:core/storage@1.0.0" "set" (func $set
    (param $key i32) (param i32) (param $value i32) (param i32) (param $result i32)))
  (import "airssys:core/host-services@1.0.0" "current-time-millis" (func $time
    (result i64)))
  (import "airssys:core/host-services@1.0.0" "list-components" (func $list
    (param $result i32)))
  (data (i32.const 1024) "last")

  (func (export "airssys:core/component-lifecycle@1.0.0#initialize")
    (param $env i32) (param i32) (param $has-data i32) (param $data i32)
    (param $size i32) (param i64) (param i64) (param i32) (param i64) (result i32)
    (call $nothing))

  (func $letter (param $at i32) (param $yes i32)
    (i32.store8 (local.get $at)
      (select (i32.const 121) (i32.const 110) (local.get $yes))))

  (func (export "airssys:core/component-lifecycle@1.0.0#handle-message")
    (param $message i32) (result i32)
    (call $set (i32.const 1024) (i32.const 4)
      (i32.load offset=24 (local.get $message))
      (i32.load offset=28 (local.get $message)) (i32.const 128))
    (call $letter (i32.const 2048) (i32.eqz (i32.load8_u (i32.const 128))))
    (call $letter (i32.const 2049) (i64.ne (call $time) (i64.const 0)))
    (call $list (i32.const 128))
    ;; It always sees itself.
    (call $letter (i32.const 2050)
      (i32.gt_u (i32.load offset=4 (i32.const 128)) (i32.const 1)))
    (call $answer (i32.const 2048) (i32.const 3)))
