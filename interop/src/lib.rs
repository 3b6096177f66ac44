//! Does Weft work with browsers and the other stacks?
