;; empty: a component that exports nothing
(component)
