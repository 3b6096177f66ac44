//! RFC 4571 frames on a byte stream.

use weft_net::framing::{Decoder, HEADER_LEN};

/// The longest datagram taken.
const MAX: usize = 512;

/// Cut anywhere, a stream gives the same datagrams, and none is longer than allowed.
pub(super) fn run(data: &[u8]) {
    let [cut, stream @ ..] = data else { return };
    let cut = usize::from(*cut).min(stream.len());
    let (first, second) = stream.split_at(cut);
    let whole = datagrams(&[stream]);
    assert_eq!(whole, datagrams(&[first, second]), "cut at {cut}");
    let bytes: usize = whole.iter().map(|datagram| datagram.len() + HEADER_LEN).sum();
    assert!(bytes <= stream.len() && whole.iter().all(|datagram| datagram.len() <= MAX));
}

/// What the pieces hold, up to the first datagram that is too long.
fn datagrams(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new(MAX);
    let mut all = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match decoder.next_datagram(&mut rest) {
                Ok(Some(datagram)) => all.push(datagram.to_vec()),
                Ok(None) => break,
                Err(_) => return all,
            }
        }
    }
    all
}
