"""A component that handles requests of `wasi:http`, and does as its text says."""

from __future__ import annotations

_TEXT = """(component
  (import "wasi:io/error@0.2.3" (instance $io-error
    (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:http/types@0.2.3" (instance $types
    (alias outer 1 $error (type $error'))
    (export "io-error" (type (eq $error')))
    (export "fields" (type $fields (sub resource)))
    (export "headers" (type $headers (eq $fields)))
    (export "trailers" (type $trailers (eq $fields)))
    (export "incoming-request" (type $request (sub resource)))
    (export "outgoing-response" (type $response (sub resource)))
    (export "response-outparam" (type $outparam (sub resource)))
    (type $codes (variant (case "loop-detected")))
    (export "error-code" (type $error-code (eq $codes)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[constructor]outgoing-response" (func
      (param "headers" (own $headers)) (result (own $response))))
    (export "[static]response-outparam.set" (func (param "param" (own $outparam))
      (param "response" (result (own $response) (error $error-code)))))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $outparam))
  (core func $fields (canon lower (func $types "[constructor]fields")))
  (core func $make (canon lower (func $types "[constructor]outgoing-response")))
  (core func $set (canon lower (func $types "[static]response-outparam.set")))
  (core module $main
    (import "host" "fields" (func $fields (result i32)))
    (import "host" "make" (func $make (param i32) (result i32)))
    (import "host" "set" (func $set (param i32 i32 i32)))
    (global $before (mut i32) (i32.const 0))
    (func (export "handle") (param $request i32) (param $out i32)
      BODY))
  (core instance $it (instantiate $main (with "host" (instance
    (export "fields" (func $fields)) (export "make" (func $make))
    (export "set" (func $set))))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $outparam))
    (canon lift (core func $it "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.3" (instance $handler)))"""
_BODIES = {
    "answer": "(call $set (local.get $out) (i32.const 0) (call $make (call $fields)))",
    "refuse": "(call $set (local.get $out) (i32.const 1) (i32.const 0))",
    "crash": "unreachable",
    "silent": "",
    "once": "(if (global.get $before) (then unreachable))"
    "(global.set $before (i32.const 1))"
    "(call $set (local.get $out) (i32.const 0) (call $make (call $fields)))",
    "loop": "(loop $again (br $again))",
}


def http_guest(does: str = "answer") -> str:
    """Make a handler that answers 200, refuses, crashes, says nothing, never returns, or answers once."""
    return _TEXT.replace("BODY", _BODIES[does])
