;; core-module: a core module, not a component
(module
  (func (export "handle-message") (param i32) (result i32)
    (i32.const 0)))
