//! Lines of standard input, read by a thread of their own so that the connection never waits for them.

use std::io::{self, BufRead, Read};

use tokio::sync::mpsc;

/// The longest line taken, in bytes: a message of 64 MiB in base64 fits.
const MAX_LINE: u64 = 96 * 1024 * 1024;

/// Lines read ahead.
const AHEAD: usize = 16;

/// One line, or what is wrong with it.
pub(super) type Line = Result<String, &'static str>;

/// Starts the reader. The channel closes at end of input.
pub(super) fn lines() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Ok(Some(line)) = read_line(&mut input, MAX_LINE) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The next line without its end; `None` at end of input. A line that is too long is read and forgotten.
fn read_line(input: &mut impl BufRead, max: u64) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    if input.take(max).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if !line.ends_with(b"\n") && line.len() as u64 == max {
        skip_line(input)?;
        return Ok(Some(Err("the line is too long")));
    }
    while line.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(String::from_utf8(line).map_err(|_| "the line is not UTF-8")))
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let (used, done) = match buffer.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(used);
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_newline_or_input() {
        let mut input: &[u8] = b"one\r\n\ntwo";
        let mut next = || read_line(&mut input, 100).unwrap();
        assert_eq!(next(), Some(Ok("one".to_owned())));
        assert_eq!(next(), Some(Ok(String::new())));
        assert_eq!(next(), Some(Ok("two".to_owned())));
        assert_eq!(next(), None);
    }

    #[test]
    fn long_and_binary_lines_are_reported_and_the_next_is_read() {
        let mut input: &[u8] = b"0123456789 and more\n\xff\xfe\nfine\n";
        let mut next = || read_line(&mut input, 10).unwrap();
        assert_eq!(next(), Some(Err("the line is too long")));
        assert_eq!(next(), Some(Err("the line is not UTF-8")));
        assert_eq!(next(), Some(Ok("fine".to_owned())));
        assert_eq!(next(), None);
    }
}
