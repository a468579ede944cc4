;; malformed: not WebAssembly text at all
(component (this is not wat
