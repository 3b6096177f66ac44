//! Properties of frames, batches and serial numbers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use proptest::prelude::*;
use weft_core::{Batch, Frame, Limits, Overhead, Serial16, Serial32};

#[derive(Clone, Debug)]
struct Datagram {
    len: usize,
    route: u8,
    may_fragment: bool,
}

fn datagrams() -> impl Strategy<Value = Vec<Datagram>> {
    let len = prop_oneof![3 => Just(1200), 1 => 0_usize..1300, 1 => Just(40)];
    let one = (len, 0_u8..2, prop::bool::weighted(0.05));
    prop::collection::vec(one.prop_map(|(len, route, may_fragment)| Datagram { len, route, may_fragment }), 0..120)
}

proptest! {
    #[test]
    fn batch_keeps_every_datagram_and_the_gso_law(
        datagrams in datagrams(),
        max_segments in 1_usize..70,
        head in 0_usize..40,
        unused_head in 0_usize..40,
        tail in 0_usize..40,
    ) {
        let limits = Limits { max_segments, max_run_bytes: 65_507 };
        let mut batch = Batch::new(200_000, limits);
        for (i, d) in datagrams.iter().enumerate() {
            let room = Overhead { head: head + unused_head, tail };
            let mut frame = batch.frame(d.len + head + unused_head + tail, room).unwrap();
            prop_assert_eq!(frame.remaining(), d.len);
            frame.push(&vec![i as u8; d.len]).unwrap();
            prop_assert!(frame.push_u8(0).is_err());
            frame.claim_head(head).unwrap().fill(0xAA);
            frame.claim_tail(tail).unwrap().fill(0xBB);
            if d.may_fragment {
                frame.set_may_fragment();
            }
            let done = frame.finish();
            batch.commit(done, d.route);
        }
        let mut out = Vec::new();
        while let Some((run, bytes)) = batch.front() {
            prop_assert!(run.segments() <= max_segments && bytes.len() <= limits.max_run_bytes.max(run.segment_size));
            let pieces: Vec<&[u8]> =
                if bytes.is_empty() { vec![bytes] } else { bytes.chunks(run.segment_size).collect() };
            prop_assert_eq!(pieces.len(), run.segments());
            out.extend(pieces.into_iter().map(|p| (run.route, run.may_fragment, p.to_vec())));
            batch.sent();
        }
        prop_assert_eq!((batch.len(), batch.runs()), (0, 0));
        let expected: Vec<_> = datagrams
            .iter()
            .enumerate()
            .map(|(i, d)| {
                let bytes = [vec![0xAA; head], vec![i as u8; d.len], vec![0xBB; tail]].concat();
                (d.route, d.may_fragment, bytes)
            })
            .collect();
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn frame_never_exceeds_its_buffer(
        size in 0_usize..100,
        head in 0_usize..60,
        tail in 0_usize..60,
        steps in prop::collection::vec((0_u8..6, 0_usize..40), 0..20),
    ) {
        let mut buf = vec![0; size];
        let mut frame = Frame::new(&mut buf, Overhead { head, tail });
        for (what, n) in steps {
            let before = (frame.len(), frame.content().to_vec());
            let done = match what {
                0 => frame.push(&vec![7; n]).is_ok(),
                1 => frame.claim_head(n).map(|h| h.fill(1)).is_ok(),
                2 => frame.claim_tail(n).map(|t| t.fill(2)).is_ok(),
                3 => frame.push_uninit(n).map(|s| s.fill(3)).is_ok(),
                4 => {
                    frame.truncate(n);
                    prop_assert_eq!(frame.content(), &before.1[..n.min(before.0)]);
                    continue;
                }
                _ => {
                    frame.cap(n);
                    prop_assert!(frame.capacity() <= n.max(frame.len()));
                    continue;
                }
            };
            prop_assert_eq!(frame.len(), if done { before.0 + n } else { before.0 });
            prop_assert_eq!(frame.content().len(), frame.len());
            prop_assert!(frame.head_room() + frame.len() + frame.tail_room() == size);
        }
    }

    #[test]
    fn serials_agree_with_signed_distance(a: u32, b: u32, n in 0_u32..0x8000_0000) {
        let (x, y) = (Serial32(a), Serial32(b));
        let distance = b.wrapping_sub(a).cast_signed();
        prop_assert_eq!(x.precedes(y), distance > 0);
        prop_assert_eq!(x.follows(y), distance < 0 && distance != i32::MIN);
        prop_assert_eq!(x.precedes_or_is(y), x == y || x.precedes(y));
        prop_assert!(!(x.precedes(y) && y.precedes(x)));
        prop_assert_eq!(x.plus(n).since(x), n);
        prop_assert!(x.precedes_or_is(x.plus(n)));
        prop_assert_eq!(x.plus(n).minus(n), x);
        prop_assert_eq!(x.next().previous(), x);
        prop_assert_eq!(x.later(x.plus(n)), x.plus(n));
        prop_assert_eq!(x.plus(n).later(x), x.plus(n));
    }

    #[test]
    fn short_serials_wrap(a: u16, n in 1_u16..0x8000) {
        let x = Serial16(a);
        prop_assert!(x.precedes(x.plus(n)) && x.plus(n).follows(x));
        prop_assert!(!x.follows_or_is(x.plus(n)) && x.plus(n).follows_or_is(x));
        prop_assert!(!x.precedes(x.plus(0x8000)) && !x.plus(0x8000).precedes(x));
    }
}
