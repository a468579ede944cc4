;; A program that says whether it may do one thing. MAY, which wasi_grants.py fills in, is a
;; call of WASI and what tells from its answer that it was allowed.
(component
  (import "wasi:io/error@0.2.0" (instance $io-error
    (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $error'))
    (export "error" (type $failure (eq $error')))
    (export "output-stream" (type $output (sub resource)))
    (type $stream-error' (variant
      (case "last-operation-failed" (own $failure)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $output)) (param "contents" (list u8))
      (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-stream (type $output-stream'))
    (export "output-stream" (type $output (eq $output-stream')))
    (export "get-stdout" (func (result (own $output))))))
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-arguments" (func (result (list string))))
    (export "get-environment" (func (result (list (tuple string string)))))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "now" (func (result u64)))))
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-u64" (func (result u64)))))
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (export "descriptor" (type (sub resource)))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $descriptor'))
    (export "descriptor" (type $folder (eq $descriptor')))
    (export "get-directories" (func (result (list (tuple (own $folder) string)))))))
  (import "wasi:sockets/network@0.2.0" (instance $network
    (type $family' (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type $family (eq $family')))
    (type $code' (enum "access-denied"))
    (export "error-code" (type $code (eq $code')))))
  (alias export $network "ip-address-family" (type $family))
  (alias export $network "error-code" (type $network-code))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp
    (export "tcp-socket" (type (sub resource)))))
  (alias export $tcp "tcp-socket" (type $tcp-socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
    (alias outer 1 $tcp-socket (type $tcp-socket'))
    (export "tcp-socket" (type $socket (eq $tcp-socket')))
    (alias outer 1 $family (type $family'))
    (export "ip-address-family" (type $family (eq $family')))
    (alias outer 1 $network-code (type $code'))
    (export "error-code" (type $code (eq $code')))
    (export "create-tcp-socket" (func (param "address-family" $family)
      (result (result (own $socket) (error $code)))))))
  (import "wasi:http/types@0.2.0" (instance $http
    (export "fields" (type $fields (sub resource)))
    (export "headers" (type $headers (eq $fields)))
    (export "outgoing-request" (type $request (sub resource)))
    (export "request-options" (type (sub resource)))
    (export "future-incoming-response" (type (sub resource)))
    (type $codes (variant (case "HTTP-request-denied")))
    (export "error-code" (type (eq $codes)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[constructor]outgoing-request" (func
      (param "headers" (own $headers)) (result (own $request))))
    (export "[method]outgoing-request.set-authority" (func
      (param "self" (borrow $request)) (param "authority" (option string))
      (result (result))))))
  (alias export $http "outgoing-request" (type $outgoing-request))
  (alias export $http "request-options" (type $request-options))
  (alias export $http "future-incoming-response" (type $future-response))
  (alias export $http "error-code" (type $http-code))
  (import "wasi:http/outgoing-handler@0.2.0" (instance $handler
    (alias outer 1 $outgoing-request (type $request'))
    (export "outgoing-request" (type $request (eq $request')))
    (alias outer 1 $request-options (type $options'))
    (export "request-options" (type $options (eq $options')))
    (alias outer 1 $future-response (type $future'))
    (export "future-incoming-response" (type $future (eq $future')))
    (alias outer 1 $http-code (type $code'))
    (export "error-code" (type $code (eq $code')))
    (export "handle" (func (param "request" (own $request))
      (param "options" (option (own $options)))
      (result (result (own $future) (error $code)))))))
  (core module $shared
    (memory (export "memory") 1)
    (data (i32.const 16) "may not\n" "127.0.0.1:9")
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and
        (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $shared (instantiate $shared))
  (alias core export $shared "memory" (core memory $memory))
  (alias core export $shared "realloc" (core func $realloc))
  (core func $out (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $memory)))
  (core func $arguments (canon lower
    (func $environment "get-arguments") (memory $memory) (realloc $realloc)))
  (core func $variables (canon lower
    (func $environment "get-environment") (memory $memory) (realloc $realloc)))
  (core func $now (canon lower (func $clock "now")))
  (core func $chance (canon lower (func $random "get-random-u64")))
  (core func $folders (canon lower
    (func $preopens "get-directories") (memory $memory) (realloc $realloc)))
  (core func $socket (canon lower
    (func $create "create-tcp-socket") (memory $memory)))
  (core func $fields (canon lower (func $http "[constructor]fields")))
  (core func $request (canon lower (func $http "[constructor]outgoing-request")))
  (core func $authority (canon lower
    (func $http "[method]outgoing-request.set-authority") (memory $memory)))
  (core func $handle (canon lower (func $handler "handle") (memory $memory)))
  (core module $main
    (import "shared" "memory" (memory 1))
    (import "wasi" "out" (func $out (result i32)))
    (import "wasi" "write" (func $write (param i32 i32 i32 i32)))
    (import "wasi" "arguments" (func $arguments (param i32)))
    (import "wasi" "variables" (func $variables (param i32)))
    (import "wasi" "now" (func $now (result i64)))
    (import "wasi" "chance" (func $chance (result i64)))
    (import "wasi" "folders" (func $folders (param i32)))
    (import "wasi" "socket" (func $socket (param i32 i32)))
    (import "wasi" "fields" (func $fields (result i32)))
    (import "wasi" "request" (func $request (param i32) (result i32)))
    (import "wasi" "authority" (func $authority (param i32 i32 i32 i32) (result i32)))
    (import "wasi" "handle" (func $handle (param i32 i32 i32 i32)))
    (func $may (result i32) (local $it i32)
      (MAY))
    (func (export "run") (result i32)
      (call $write (call $out)  ;; "may not", or as much of it as is true
        (i32.const 16) (select (i32.const 3) (i32.const 7) (call $may)) (i32.const 64))
      (i32.const 0)))
  (core instance $main (instantiate $main
    (with "shared" (instance $shared))
    (with "wasi" (instance
      (export "out" (func $out)) (export "write" (func $write))
      (export "arguments" (func $arguments)) (export "variables" (func $variables))
      (export "now" (func $now)) (export "chance" (func $chance))
      (export "folders" (func $folders)) (export "socket" (func $socket))
      (export "fields" (func $fields)) (export "request" (func $request))
      (export "authority" (func $authority)) (export "handle" (func $handle))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $exported)))
