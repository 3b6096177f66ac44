//! RFC 9260 sections 8.4, 8.5 and 9: how an association ends, and what strangers are answered.

use weft_core::{Instant, Layer, Rng};
use weft_sctp::wire::{Sack, kind};
use weft_sctp::{Association, Config, SendError, SendOptions, State};

use crate::common::{OUR_TAG, Victim, chunks, data_value, init_value, kinds, packet, packets, payload, tag_of};

#[test]
fn chunks_that_must_be_alone_or_first_are_ignored_elsewhere() {
    //= rfc9260#12.3
    //# Accordingly, we stress the requirements, as stated in Section 3.1, that (1) an INIT chunk MUST NOT be bundled with any other chunk in a packet and (2) a packet containing an INIT chunk MUST have a zero Verification Tag.
    //= rfc9260#8.5.1
    //# Otherwise, the receiver MUST silently discard the packet.
    //= rfc9260#8.5.1
    //# Otherwise, the receiver MUST silently discard the packet and take no further action.
    let init = init_value(9, 9, &[]);
    for chunk in [kind::INIT, kind::INIT_ACK, kind::SHUTDOWN_COMPLETE, kind::COOKIE_ECHO] {
        let mut victim = Victim::new(Config::rtc());
        victim.input(&[(kind::COOKIE_ACK, 0, &[]), (chunk, 0, &init), (kind::HEARTBEAT, 0, &[0, 1, 0, 4])]).unwrap();
        assert!(victim.output().is_empty() && victim.it.state() == State::Established, "{chunk}");
    }
    // An ABORT behind others, whose T bit does not fit the tag.
    let mut victim = Victim::new(Config::rtc());
    assert_eq!(victim.input(&[(kind::COOKIE_ACK, 0, &[]), (kind::ABORT, 1, &[])]), Ok(()));
    //= rfc9260#3.3.7
    //# If an endpoint receives an ABORT chunk with a format error or no TCB is found, it MUST silently discard it.
    assert_eq!(victim.input(&[(kind::ABORT, 0, &[0, 12, 0, 99])]), Ok(()), "a cause that cannot be");
    //= rfc9260#3.3.7
    //# Moreover, under any circumstances, an endpoint that receives an ABORT chunk MUST NOT respond to that ABORT chunk by sending an ABORT chunk of its own.
    //= rfc9260#9.1
    //# An endpoint receiving an ABORT chunk MUST apply the special Verification Tag check rules described in Section 8.5.1.
    //= rfc9260#9.1
    //# After checking the Verification Tag, the receiving endpoint MUST remove the association from its record and SHOULD report the termination to its upper layer.
    assert!(victim.input(&[(kind::ABORT, 0, &[])]).is_err());
    assert!(victim.output().is_empty() && victim.it.is_over());
}

#[test]
fn shutdown_complete_counts_in_one_state_only() {
    //= rfc9260#8.5.1
    //# An endpoint MUST ignore the SHUTDOWN COMPLETE chunk if it is not in the SHUTDOWN-ACK-SENT state.
    //= rfc9260#8.5.1
    //# Otherwise, the receiver MUST silently discard the packet and take no further action.
    let mut victim = Victim::new(Config::rtc());
    victim.input(&[(kind::SHUTDOWN_COMPLETE, 0, &[])]).unwrap();
    assert_eq!(victim.it.state(), State::Established);
    victim.it.shutdown(victim.now);
    victim.input(&[(kind::SHUTDOWN_COMPLETE, 0, &[])]).unwrap();
    assert_eq!(victim.it.state(), State::ShutdownSent);
    victim.input(&[(kind::SHUTDOWN, 0, &victim.its_tsn.wrapping_sub(1).to_be_bytes())]).unwrap();
    for (tag, flags) in [(victim.tag, 1), (OUR_TAG, 0), (5, 1)] {
        victim.it.handle_input(victim.now, &packet(tag, &[(kind::SHUTDOWN_COMPLETE, flags, &[])])).unwrap();
        assert_eq!(victim.it.state(), State::ShutdownAckSent);
    }
    victim.it.handle_input(victim.now, &packet(OUR_TAG, &[(kind::SHUTDOWN_COMPLETE, 1, &[])])).unwrap();
    assert!(victim.it.is_over());
}

#[test]
fn out_of_the_blue_answers_are_single_and_reflect_the_tag() {
    //= rfc9260#3.1
    //# A packet containing a SHUTDOWN COMPLETE chunk with the T bit set MUST have the Verification Tag copied from the packet with the SHUTDOWN ACK chunk.
    //= rfc9260#3.3.13
    //# If the Verification Tag is reflected, the T bit MUST be set to 1. Reflecting means that the sent Verification Tag is the same as the received one.
    //= rfc9260#3.3.7
    //# If the Verification Tag is reflected, the T bit MUST be set to 1. Reflecting means that the sent Verification Tag is the same as the received one.
    //= rfc9260#8.4
    //# After sending this ABORT chunk, the receiver of the OOTB packet MUST discard the OOTB packet and MUST NOT take any further action.
    //= rfc9260#8.5.1
    //# If the ABORT chunk is sent in response to an OOTB packet, the endpoint MUST follow the procedure described in Section 8.4.
    //= rfc9260#8.5.1
    //# Only where no TCB exists SHOULD the sender use the Verification Tag from the SHUTDOWN ACK chunk and MUST set the T bit.
    let now = Instant::ORIGIN;
    let data = data_value(5, 0, 0, 53, b"lost its way");
    for (list, answer) in [
        (vec![(kind::SHUTDOWN_ACK, 0, &[][..])], kind::SHUTDOWN_COMPLETE),
        (vec![(kind::DATA, 3, &data[..]), (kind::DATA, 3, &data), (kind::HEARTBEAT, 0, &[])], kind::ABORT),
    ] {
        let mut it = Association::new(Config::rtc(), Rng::from_test_seed(1));
        it.handle_input(now, &packet(0xABCD, &list)).unwrap();
        let out = packets(&mut it, now);
        assert_eq!((out.len(), kinds(&out[0]), tag_of(&out[0])), (1, vec![answer], 0xABCD));
        assert!(chunks(&out[0])[0].flags == 1 && it.state() == State::Closed && it.receive().is_none());
    }
}

#[test]
fn shutdown_is_repeated_with_what_came_meanwhile() {
    //= rfc9260#9.2
    //# If the timer expires, the endpoint MUST resend the SHUTDOWN chunk with the updated last sequential TSN received from its peer.
    //= rfc9260#9.2
    //# The rules in Section 6.3 MUST be followed to determine the proper timer value for T2-shutdown.
    //= rfc9260#9.2
    //# If a SHUTDOWN chunk by itself cannot acknowledge all of the received DATA chunks (i.e., there are TSNs that can be acknowledged that are larger than the cumulative TSN and thus gaps exist in the TSN sequence) or if duplicate TSNs have been received, then a SACK chunk MUST also be sent.
    //= rfc9260#4
    //# 4) In the SHUTDOWN-SENT state, the endpoint MUST acknowledge any received DATA chunks without delay.
    //= rfc9260#6.2
    //# Acknowledgements MUST be sent in SACK chunks unless shutdown was requested by the ULP, in which case an endpoint MAY send an acknowledgement in the SHUTDOWN chunk.
    let mut victim = Victim::new(Config::default());
    victim.it.shutdown(victim.now);
    let shutdown = |victim: &mut Victim| {
        let out = victim.output().remove(0);
        let all = chunks(&out);
        assert_eq!(all[0].kind, kind::SHUTDOWN);
        let sack = all.get(1).map(|c| Sack::parse(c.value).unwrap().gap_blocks().count());
        (u32::from_be_bytes(all[0].value.try_into().unwrap()), sack)
    };
    assert_eq!(shutdown(&mut victim), (999, None));
    victim.input(&[(kind::DATA, 3, &data_value(1000, 0, 0, 53, b"x"))]).unwrap();
    assert_eq!(shutdown(&mut victim).0, 1000);
    victim.input(&[(kind::DATA, 3, &data_value(1002, 0, 2, 53, b"x"))]).unwrap();
    assert_eq!(shutdown(&mut victim), (1000, Some(1)), "with a gap a SACK goes along");
    let first = victim.it.poll_timeout().unwrap() - victim.now;
    for round in 1..4 {
        victim.now = victim.it.poll_timeout().unwrap();
        victim.it.handle_timeout(victim.now).unwrap();
        assert_eq!(shutdown(&mut victim), (1000, Some(1)), "and along with each repetition");
        assert_eq!(victim.it.poll_timeout().unwrap() - victim.now, first * (1 << round));
    }
}

#[test]
fn a_shutdown_with_data_outstanding() {
    //= rfc9260#9.2
    //# If there are still outstanding DATA chunks left, the SHUTDOWN chunk receiver MUST continue to follow normal data transmission procedures defined in Section 6, until all outstanding DATA chunks are acknowledged; however, the SHUTDOWN chunk receiver MUST NOT accept new data from its SCTP user.
    //= rfc9260#4
    //# 5) In the SHUTDOWN-RECEIVED state, the endpoint MUST NOT accept any new send requests from its SCTP user.
    //= rfc9260#4
    //# 6) In the SHUTDOWN-RECEIVED state, the endpoint MUST transmit or retransmit data and leave this state when all data in queue is transmitted.
    //= rfc9260#9.2
    //# If the receiver of the SHUTDOWN chunk has no more outstanding DATA chunks, the SHUTDOWN chunk receiver MUST send a SHUTDOWN ACK chunk and start a T2-shutdown timer of its own, entering the SHUTDOWN-ACK-SENT state.
    //= rfc9260#3.3.8
    //# Since the SHUTDOWN chunk does not contain Gap Ack Blocks, the receiver of the SHUTDOWN chunk MUST NOT interpret the lack of a Gap Ack Block as a renege.
    //= rfc9260#6
    //# A SACK chunk MUST be processed in ESTABLISHED, SHUTDOWN-PENDING, and SHUTDOWN-RECEIVED states.
    let mut victim = Victim::new(Config::default());
    let t = victim.its_tsn;
    for n in 0..4 {
        victim.it.send(victim.now, 0, 53, payload(n, 1000), SendOptions::default()).unwrap();
    }
    victim.output();
    let sack = |cumulative: u32, blocks: &[u16]| {
        let mut out = cumulative.to_be_bytes().to_vec();
        out.extend([0, 1, 0, 0, 0, (blocks.len() / 2) as u8, 0, 0]);
        out.extend(blocks.iter().flat_map(|b| b.to_be_bytes()));
        out
    };
    victim.input(&[(kind::SACK, 0, &sack(t, &[2, 2]))]).unwrap();
    victim.input(&[(kind::SHUTDOWN, 0, &t.to_be_bytes())]).unwrap();
    assert_eq!(victim.it.state(), State::ShutdownReceived);
    assert!(victim.output().is_empty(), "no gap blocks: yet nothing was reneged on");
    assert_eq!(victim.it.send(victim.now, 0, 53, payload(9, 9), SendOptions::default()), Err(SendError::Closed));
    victim.now = victim.it.poll_timeout().unwrap();
    victim.it.handle_timeout(victim.now).unwrap();
    let again: Vec<u32> =
        victim.output().iter().flat_map(|p| chunks(p)).map(|c| crate::common::number(c.value)).collect();
    assert_eq!(again, [t.wrapping_add(1)], "one packet after a timeout, and not what a block acknowledged");
    victim.input(&[(kind::SACK, 0, &sack(t.wrapping_add(3), &[]))]).unwrap();
    assert_eq!((victim.it.state(), kinds(&victim.output()[0])), (State::ShutdownAckSent, vec![kind::SHUTDOWN_ACK]));
    //= rfc9260#4
    //# 7) In the SHUTDOWN-ACK-SENT state, the endpoint MUST NOT accept any new send requests from its SCTP user.
    //= rfc9260#9.2
    //# If the timer expires, the endpoint MUST resend the SHUTDOWN ACK chunk.
    assert_eq!(victim.it.send(victim.now, 0, 53, payload(9, 9), SendOptions::default()), Err(SendError::Closed));
    victim.now = victim.it.poll_timeout().unwrap();
    victim.it.handle_timeout(victim.now).unwrap();
    assert_eq!(kinds(&victim.output()[0]), [kind::SHUTDOWN_ACK]);
    //= rfc9260#9.2
    //# If an endpoint is in the SHUTDOWN-ACK-SENT state and receives a SHUTDOWN ACK, it MUST stop the T2-shutdown timer, send a SHUTDOWN COMPLETE chunk to its peer, and remove all record of the association.
    victim.input(&[(kind::SHUTDOWN_ACK, 0, &[])]).unwrap();
    assert_eq!(kinds(&victim.output()[0]), [kind::SHUTDOWN_COMPLETE]);
    assert!(victim.it.is_over() && victim.it.poll_timeout().is_none());
}

#[test]
fn a_shutdown_ack_ends_it() {
    //= rfc9260#9.2
    //# Upon the receipt of the SHUTDOWN ACK chunk, the sender of the SHUTDOWN chunk MUST stop the T2-shutdown timer, send a SHUTDOWN COMPLETE chunk to its peer, and remove all record of the association.
    let mut victim = Victim::new(Config::default());
    victim.it.shutdown(victim.now);
    victim.output();
    victim.input(&[(kind::SHUTDOWN_ACK, 0, &[])]).unwrap();
    let out = victim.output();
    assert_eq!(
        (kinds(&out[0]), tag_of(&out[0]), chunks(&out[0])[0].flags),
        (vec![kind::SHUTDOWN_COMPLETE], OUR_TAG, 0)
    );
    assert!(victim.it.is_over() && victim.it.poll_timeout().is_none());
}
