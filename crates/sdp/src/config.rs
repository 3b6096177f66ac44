//! How large a description may be.

/// Limits that a description must stay within. Whatever a peer can make grow is counted here.
///
/// The defaults leave room for a browser that offers dozens of media sections, and keep the memory one description
/// can take below about a megabyte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole description.
    pub size: usize,
    /// Lines of the whole description.
    pub lines: usize,
    /// Bytes of one line, without its line ending.
    pub line_length: usize,
    /// Media sections (`m=` lines).
    pub sections: usize,
    /// Attributes (`a=` lines) of one section, or of the session level.
    pub attributes: usize,
    /// `a=candidate` lines of one section.
    pub candidates: usize,
}

impl Limits {
    /// The defaults: 256 KiB, 8192 lines of at most 16 KiB, 256 sections, 2048 attributes and 128 candidates each.
    pub const DEFAULT: Self = Self {
        size: 256 * 1024,
        lines: 8192,
        line_length: 16 * 1024,
        sections: 256,
        attributes: 2048,
        candidates: 128,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
