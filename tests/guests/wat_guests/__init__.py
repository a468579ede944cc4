"""The sources of the WebAssembly guests that the tests run."""
