//! RFC 9260 state by state: what each chunk does in set-up, shutdown and abort, and which answers go out.

use weft_core::{Instant, Layer, Rng};
use weft_sctp::wire::{Init, kind, param};
use weft_sctp::{Association, AssociationError, Config, Event, SendOptions, State};

use crate::common::{
    Answered, Duo, OUR_TAG, Victim, answer_to_init, chunks, data_value, echo, events, init_value, kinds, packet,
    packets, payload, sack_value, secs, tag_of,
};

const HOST_NAME: [u8; 8] = [0, 11, 0, 8, 97, 98, 99, 0];

/// An association in COOKIE-WAIT, and its tag.
fn waiting(config: Config) -> (Association, u32, Instant) {
    let now = Instant::from_millis(5);
    let mut it = Association::new(config, Rng::from_test_seed(4));
    it.connect(now);
    let init = packets(&mut it, now).remove(0);
    let tag = Init::parse(chunks(&init)[0].value).unwrap().initiate_tag;
    (it, tag, now)
}

/// One in COOKIE-ECHOED.
fn echoed(config: Config) -> (Association, u32, Instant) {
    let (mut it, tag, now) = waiting(config);
    let ack = init_value(OUR_TAG, 1000, &[0, 7, 0, 8, 1, 2, 3, 4]);
    it.handle_input(now, &packet(tag, &[(kind::INIT_ACK, 0, &ack)])).unwrap();
    assert_eq!(it.state(), State::CookieEchoed);
    (it, tag, now)
}

#[test]
fn the_cookie_is_echoed_at_once_and_again_until_the_limit() {
    //= rfc9260#5.1.4
    //# When an endpoint (in the COOKIE-WAIT state) receives an INIT ACK chunk with a State Cookie parameter, it MUST immediately send a COOKIE ECHO chunk to its peer with the received State Cookie.
    //= rfc9260#5.1.4
    //# The endpoint MUST also start the T1-cookie timer after sending the COOKIE ECHO chunk.
    //= rfc9260#5.1.4
    //# If the timer expires, the endpoint MUST retransmit the COOKIE ECHO chunk and restart the T1-cookie timer.
    //= rfc9260#4
    //# 3) If the T1-cookie timer expires, the endpoint MUST retransmit COOKIE ECHO chunk and restart the T1-cookie timer.
    //= rfc9260#4
    //# This MUST be repeated up to 'Max.Init.Retransmits' times.
    //= rfc9260#4
    //# After that, the endpoint MUST abort the initialization process and report the error to the SCTP user.
    //= rfc9260#3.3.11
    //# This field MUST contain the exact cookie received in the State Cookie parameter from the previous INIT ACK chunk.
    //= rfc9260#5.1.6
    //# When retransmitting the INIT chunk, the endpoint MUST follow the rules defined in Section 6.3 to determine the proper timer value.
    let (mut it, _, mut now) = echoed(Config::default());
    let (mut echoes, start) = (0, now);
    let error = loop {
        for sent in packets(&mut it, now) {
            assert_eq!((kinds(&sent), chunks(&sent)[0].value), (vec![kind::COOKIE_ECHO], &[1, 2, 3, 4][..]));
            echoes += 1;
        }
        now = it.poll_timeout().unwrap();
        if let Err(error) = it.handle_timeout(now) {
            break error;
        }
    };
    assert_eq!((echoes, error), (9, AssociationError::NoAnswer));
    assert!(now - start >= secs(1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 + 60), "backed off: {:?}", now - start);
}

#[test]
fn inits_are_repeated_until_the_limit() {
    //= rfc9260#4
    //# This MUST be repeated up to 'Max.Init.Retransmits' times.
    //= rfc9260#4
    //# After that, the endpoint MUST abort the initialization process and report the error to the SCTP user.
    for limit in [0, 3] {
        let (mut it, ..) = waiting(Config { max_init_retransmits: Some(limit), ..Config::default() });
        let mut again = 0;
        let error = loop {
            let now = it.poll_timeout().unwrap();
            match it.handle_timeout(now) {
                Ok(()) => again += packets(&mut it, now).len(),
                Err(error) => break error,
            }
        };
        assert_eq!((again, error), (limit as usize, AssociationError::NoAnswer));
    }
}

#[test]
fn a_host_name_is_refused_in_init_and_init_ack() {
    //= rfc9260#3.3.2.1.4
    //# The receiver of an INIT chunk or an INIT ACK containing a Host Name Address parameter MUST send an ABORT chunk and MAY include an "Unresolvable Address" error cause.
    //= rfc9260#3.3.3
    //# The receiver of INIT ACK chunks containing a Host Name Address parameter MUST send an ABORT chunk and MAY include an "Unresolvable Address" error cause.
    //= rfc9260#12.2.4.1
    //# Endpoints receiving INIT or INIT ACK chunks containing the Host Name Address parameter MUST send an ABORT chunk in response and MAY include an "Unresolvable Address" error cause.
    //= rfc9260#5.1
    //# The Verification Tag field in the common header of the outbound SCTP packet containing the ABORT chunk MUST be set to the Initiate Tag value of the received INIT or INIT ACK chunk this ABORT chunk is responding to.
    //= rfc9260#8.4
    //# If, for whatever reason, the INIT chunk cannot be processed normally and an ABORT chunk has to be sent in response, the Verification Tag of the packet containing the ABORT chunk MUST be the Initiate Tag of the received INIT chunk, and the T bit of the ABORT chunk has to be set to 0, indicating that the Verification Tag is not reflected.
    let now = Instant::ORIGIN;
    let mut it = Association::new(Config::rtc(), Rng::from_test_seed(1));
    it.handle_input(now, &packet(0, &[(kind::INIT, 0, &init_value(OUR_TAG, 1, &HOST_NAME))])).unwrap();
    let abort = packets(&mut it, now).remove(0);
    assert_eq!((kinds(&abort), tag_of(&abort), chunks(&abort)[0].flags), (vec![kind::ABORT], OUR_TAG, 0));
    let (mut it, tag, now) = waiting(Config::rtc());
    let mut value = init_value(OUR_TAG, 1, &[0, 7, 0, 8, 1, 2, 3, 4]);
    value.extend(HOST_NAME);
    assert!(it.handle_input(now, &packet(tag, &[(kind::INIT_ACK, 0, &value)])).is_err());
    let abort = packets(&mut it, now).remove(0);
    assert_eq!((kinds(&abort), tag_of(&abort)), (vec![kind::ABORT], OUR_TAG));
    // Named among the address types a peer supports it means nothing.
    //= rfc9260#3.3.2.1.5
    //# The value indicating the Host Name Address parameter MUST NOT be used when sending this parameter and MUST be ignored when receiving this parameter.
    let mut it = Association::new(Config::rtc(), Rng::from_test_seed(1));
    let types = [0, 12, 0, 8, 0, 5, 0, 11];
    it.handle_input(now, &packet(0, &[(kind::INIT, 0, &init_value(OUR_TAG, 1, &types))])).unwrap();
    assert_eq!(kinds(&packets(&mut it, now)[0]), [kind::INIT_ACK]);
}

#[test]
fn a_large_init_ack_is_taken() {
    //= rfc9260#3.3.3
    //# Implementation Note: An implementation MUST be prepared to receive an INIT ACK chunk that is quite large (more than 1500 bytes) due to the variable size of the State Cookie and the variable address list.
    let (mut it, tag, now) = waiting(Config::rtc());
    let mut value = init_value(OUR_TAG, 1, &[0, 7]);
    value.extend(1004_u16.to_be_bytes());
    value.extend([9; 1000]);
    for n in 0..100 {
        value.extend([0, 5, 0, 8, 10, 0, 0, n]);
    }
    it.handle_input(now, &packet(tag, &[(kind::INIT_ACK, 0, &value)])).unwrap();
    assert_eq!(chunks(&packets(&mut it, now)[0])[0].value, [9; 1000]);
}

#[test]
fn an_init_in_cookie_wait_and_cookie_echoed_changes_nothing() {
    //= rfc9260#5.2.1
    //# Upon receipt of an INIT chunk in the COOKIE-WAIT state, an endpoint MUST respond with an INIT ACK chunk using the same parameters it sent in its original INIT chunk (including its Initiate Tag, unchanged).
    //= rfc9260#5.2.1
    //# Upon receipt of an INIT chunk in the COOKIE-ECHOED state, an endpoint MUST respond with an INIT ACK chunk using the same parameters it sent in its original INIT chunk (including its Initiate Tag, unchanged), provided that no new address has been added to the forming association.
    //= rfc9260#5.2.1
    //# The endpoint MUST also generate a State Cookie with the INIT ACK chunk.
    //= rfc9260#5.2.1
    //# After that, the endpoint MUST NOT change its state, the T1-init timer MUST be left running, and the corresponding TCB MUST NOT be destroyed.
    for (mut it, tag, now) in [waiting(Config::rtc()), echoed(Config::rtc())] {
        let (state, timer) = (it.state(), it.poll_timeout());
        packets(&mut it, now);
        it.handle_input(now, &packet(0, &[(kind::INIT, 0, &init_value(7, 1, &[]))])).unwrap();
        let answer = packets(&mut it, now).remove(0);
        let ack = Init::parse(chunks(&answer)[0].value).unwrap();
        assert_eq!((kinds(&answer), tag_of(&answer), ack.initiate_tag), (vec![kind::INIT_ACK], 7, tag));
        assert!(ack.params.find(param::STATE_COOKIE).is_some());
        assert_eq!((it.state(), it.poll_timeout()), (state, timer));
    }
}

#[test]
fn nothing_is_kept_for_an_init() {
    //= rfc9260#5.1
    //# After sending an INIT ACK chunk with the State Cookie parameter, "Z" MUST NOT allocate any resources or keep any states for the new association.
    //= rfc9260#3.3.3.1.1
    //# This parameter value MUST contain all the necessary state and parameter information required for the sender of this INIT ACK chunk to create the association, along with a Message Authentication Code (MAC).
    let now = Instant::ORIGIN;
    let mut it = Association::new(Config::rtc(), Rng::from_test_seed(1));
    let mut first = None;
    for tag in 1..100 {
        it.handle_input(now, &packet(0, &[(kind::INIT, 0, &init_value(tag, tag, &[]))])).unwrap();
        let answer = packets(&mut it, now).remove(0);
        first.get_or_insert(answer);
        assert!(it.state() == State::Closed && it.poll_timeout().is_none());
    }
    // The first cookie alone brings it up, with the tag it was made for.
    let answer = first.unwrap();
    let ack = Init::parse(chunks(&answer)[0].value).unwrap();
    let cookie = ack.params.find(param::STATE_COOKIE).unwrap();
    it.handle_input(now, &packet(ack.initiate_tag, &[(kind::COOKIE_ECHO, 0, cookie)])).unwrap();
    assert_eq!((it.state(), tag_of(&packets(&mut it, now)[0])), (State::Established, 1));
}

#[test]
fn bad_cookies_are_dropped_silently_and_stale_ones_are_told() {
    //= rfc9260#4
    //# 1) If the State Cookie in the received COOKIE ECHO chunk is invalid (i.e., failed to pass the integrity check), the receiver MUST silently discard the packet.
    //= rfc9260#5.1.5
    //# If these values do not match, the packet MUST be silently discarded.
    //= rfc9260#8.4
    //# 4) If the packet contains a COOKIE ECHO chunk as the first chunk, it MUST be processed as described in Section 5.1.
    //= rfc9260#5.1.5
    //# If secrets are kept only for a limited amount of time and the secret key to use is not available anymore, the packet containing the COOKIE ECHO chunk MUST be silently discarded.
    let mut other = Association::new(Config::rtc(), Rng::from_test_seed(5));
    let mut victim = Association::new(Config::rtc(), Rng::from_test_seed(6));
    let now = Instant::ORIGIN;
    let Answered { tag, cookie, .. } = answer_to_init(&mut other, now, &init_value(7, 1, &[]));
    // Made with another key; with another tag; with what belongs to it.
    echo(&mut victim, now, tag, &cookie);
    echo(&mut other, now, tag ^ 8, &cookie);
    for it in [&mut victim, &mut other] {
        assert!(it.state() == State::Closed && packets(it, now).is_empty());
    }
    //= rfc9260#5.1.5
    //# If the elapsed time is longer than the lifespan carried in the State Cookie, then the packet, including the COOKIE ECHO chunk and any attached DATA chunks, SHOULD be discarded, and the endpoint MUST transmit an ERROR chunk with a "Stale Cookie" error cause to the peer endpoint.
    let late = now + secs(61);
    echo(&mut other, late, tag, &cookie);
    let error = packets(&mut other, late).remove(0);
    assert_eq!((other.state(), kinds(&error), tag_of(&error)), (State::Closed, vec![kind::ERROR], 7));
    assert_eq!(chunks(&error)[0].value[..4], [0, 3, 0, 8]);
    echo(&mut other, now, tag, &cookie);
    assert_eq!(other.state(), State::Established);
    //= rfc9260#5.2.4
    //# The endpoint also MUST transmit an ERROR chunk with a "Stale Cookie" error cause to the peer endpoint (this is case C or D in Section 5.2).
    // Stale, but the tags are those of the association: the COOKIE ACK was lost.
    packets(&mut other, late);
    echo(&mut other, late, tag, &cookie);
    assert_eq!(kinds(&packets(&mut other, late)[0]), [kind::COOKIE_ACK]);
    // Stale, and of other tags.
    let Answered { tag, cookie, .. } = answer_to_init(&mut other, late, &init_value(8, 1, &[]));
    echo(&mut other, late + secs(61), tag, &cookie);
    let error = packets(&mut other, late + secs(61)).remove(0);
    assert_eq!((kinds(&error), tag_of(&error)), (vec![kind::ERROR], 8));
}

#[test]
fn an_unexpected_init_changes_nothing() {
    //= rfc9260#5.2.2
    //# Unless otherwise stated, upon receipt of an unexpected INIT chunk for this association, the endpoint MUST generate an INIT ACK chunk with a State Cookie.
    //= rfc9260#5.2.2
    //# After sending the INIT ACK or ABORT chunk, the endpoint MUST take no further actions, i.e., the existing association, including its current state, and the corresponding TCB MUST NOT be changed.
    //= rfc9260#5.3.1
    //# A new Verification Tag value MUST be used each time the endpoint tears down and then reestablishes an association to the same peer.
    let mut victim = Victim::new(Config::rtc());
    victim.it.send(victim.now, 0, 53, payload(0, 5000), SendOptions::default()).unwrap();
    victim.output();
    let (stats, timer) = (victim.it.stats(), victim.it.poll_timeout());
    let Answered { tag, cookie, .. } = answer_to_init(&mut victim.it, victim.now, &init_value(9, 9, &[]));
    assert_ne!(tag, victim.tag);
    let after = victim.it.stats();
    assert_eq!((after.in_flight, after.buffered, after.cwnd), (stats.in_flight, stats.buffered, stats.cwnd));
    assert_eq!((victim.it.state(), victim.it.poll_timeout()), (State::Established, timer));
    // The cookie that came with it restarts it, and congestion control with it.
    //= rfc9260#5.2.4
    //# All the congestion control parameters (e.g., cwnd, ssthresh) related to this peer MUST be reset to their initial values (see Section 6.2.1).
    let grown = victim.it.stats().cwnd;
    victim.input(&[(kind::SACK, 0, &sack_value(victim.its_tsn.wrapping_add(3), 1 << 16, &[]))]).unwrap();
    assert!(victim.it.stats().cwnd > grown);
    echo(&mut victim.it, victim.now, tag, &cookie);
    assert_eq!(events(&mut victim.it)[..2], [Event::Restarted, Event::Established]);
    assert_eq!((victim.it.stats().cwnd, victim.it.stats().ssthresh), (grown, usize::MAX));
    assert_eq!(tag_of(&victim.output()[0]), 9);
}

#[test]
fn a_restart_while_shutting_down_is_put_off() {
    //= rfc9260#5.2.4
    //# If the endpoint is in the SHUTDOWN-ACK-SENT state and recognizes that the peer has restarted (Action A), it MUST NOT set up a new association but instead resend the SHUTDOWN ACK chunk and send an ERROR chunk with a "Cookie Received While Shutting Down" error cause to its peer.
    let mut victim = Victim::new(Config::rtc());
    let Answered { tag, cookie, .. } = answer_to_init(&mut victim.it, victim.now, &init_value(9, 9, &[]));
    victim.input(&[(kind::SHUTDOWN, 0, &victim.its_tsn.wrapping_sub(1).to_be_bytes())]).unwrap();
    assert_eq!(kinds(&victim.output()[0]), [kind::SHUTDOWN_ACK]);
    echo(&mut victim.it, victim.now, tag, &cookie);
    let out = victim.output();
    assert_eq!(kinds(&out[0]), [kind::SHUTDOWN_ACK, kind::ERROR]);
    assert_eq!((chunks(&out[0])[1].value, victim.it.state()), (&[0, 10, 0, 4][..], State::ShutdownAckSent));
}

#[test]
fn a_crossed_cookie_brings_the_tag_up_to_date() {
    //= rfc9260#5.2.4
    //# The endpoint SHOULD stay in or enter the ESTABLISHED state, but it MUST update its peer's Verification Tag from the State Cookie, stop any T1-init or T1-cookie timers that might be running, and send a COOKIE ACK chunk.
    let (mut it, tag, now) = waiting(Config::rtc());
    let cookie = answer_to_init(&mut it, now, &init_value(7, 1, &[])).cookie;
    // The peer answered our INIT under another tag than its own INIT has.
    let ack = init_value(OUR_TAG, 1, &[0, 7, 0, 8, 1, 2, 3, 4]);
    it.handle_input(now, &packet(tag, &[(kind::INIT_ACK, 0, &ack)])).unwrap();
    it.handle_input(now, &packet(tag, &[(kind::COOKIE_ACK, 0, &[])])).unwrap();
    packets(&mut it, now);
    echo(&mut it, now, tag, &cookie);
    let out = packets(&mut it, now).remove(0);
    assert_eq!((it.state(), kinds(&out), tag_of(&out)), (State::Established, vec![kind::COOKIE_ACK], 7));
}

#[test]
fn data_is_taken_in_the_right_states_only() {
    //= rfc9260#6
    //# DATA chunks MUST only be received according to the rules below in ESTABLISHED, SHUTDOWN-PENDING, and SHUTDOWN-SENT states.
    //= rfc9260#6
    //# Data transmission MUST only happen in the ESTABLISHED, SHUTDOWN-PENDING, and SHUTDOWN-RECEIVED states.
    let (mut it, tag, now) = echoed(Config::rtc());
    it.send(now, 0, 53, payload(0, 3000), SendOptions::default()).unwrap();
    assert_eq!(packets(&mut it, now).len(), 1, "what fits beside the COOKIE ECHO, and no more");
    it.handle_input(now, &packet(tag, &[(kind::DATA, 3, &data_value(1000, 0, 0, 53, b"early"))])).unwrap();
    assert!(it.receive().is_none());
    it.handle_input(now, &packet(tag, &[(kind::COOKIE_ACK, 0, &[])])).unwrap();
    it.handle_input(now, &packet(tag, &[(kind::DATA, 3, &data_value(1000, 0, 0, 53, b"in time"))])).unwrap();
    assert_eq!(&it.receive().unwrap().payload[..], b"in time");
    let mut victim = Victim::new(Config::rtc());
    victim.input(&[(kind::SHUTDOWN, 0, &victim.its_tsn.wrapping_sub(1).to_be_bytes())]).unwrap();
    victim.input(&[(kind::DATA, 3, &data_value(1000, 0, 0, 53, b"late"))]).unwrap();
    assert!(victim.it.receive().is_none());
}

#[test]
fn an_abort_carries_the_peers_tag_and_no_data() {
    //= rfc9260#9.1
    //# The sender MUST fill in the peer's Verification Tag in the outbound packet and MUST NOT bundle any DATA chunk with the ABORT chunk.
    //= rfc9260#8.5.1
    //# The endpoint MUST always fill in the Verification Tag field of the outbound packet with the destination endpoint's tag value if it is known.
    //= rfc9260#3.3.7
    //# Control chunks (except for INIT, INIT ACK, and SHUTDOWN COMPLETE) MAY be bundled with an ABORT chunk, but they MUST be placed before the ABORT chunk in the SCTP packet; otherwise, they will be ignored by the receiver.
    let mut victim = Victim::new(Config::rtc());
    victim.it.send(victim.now, 0, 53, payload(0, 3000), SendOptions::default()).unwrap();
    victim.it.abort(victim.now);
    let out = victim.output();
    assert_eq!((out.len(), kinds(&out[0]), tag_of(&out[0])), (1, vec![kind::ABORT], OUR_TAG));
    assert_eq!(chunks(&out[0])[0].flags, 0);
}

#[test]
fn heartbeats_are_answered_in_every_state_that_has_a_peer() {
    //= rfc9260#8.3
    //# A receiver of a HEARTBEAT chunk MUST respond to a HEARTBEAT chunk with a HEARTBEAT ACK chunk after entering the COOKIE-ECHOED state (sender of the INIT chunk) or the ESTABLISHED state (receiver of the INIT chunk), up until reaching the SHUTDOWN-SENT state (sender of the SHUTDOWN chunk) or the SHUTDOWN-ACK-SENT state (receiver of the SHUTDOWN chunk).
    //= rfc9260#3.3.6
    //# An endpoint MUST send this chunk to its peer endpoint as a response to a HEARTBEAT chunk (see Section 8.3).
    //= rfc9260#3.3.6
    //# This field MUST contain the Heartbeat Info parameter (as defined in Section 3.3.5) of the Heartbeat Request to which this Heartbeat Acknowledgement is responding.
    let info = [0, 1, 0, 8, 1, 2, 3, 4];
    let (mut it, tag, now) = echoed(Config::rtc());
    it.handle_input(now, &packet(tag, &[(kind::HEARTBEAT, 0, &info)])).unwrap();
    assert_eq!(kinds(&packets(&mut it, now)[0]), [kind::COOKIE_ECHO, kind::HEARTBEAT_ACK]);
    for shutting in [false, true] {
        let mut victim = Victim::new(Config::rtc());
        if shutting {
            victim.it.send(victim.now, 0, 53, payload(0, 10), SendOptions::default()).unwrap();
            victim.it.shutdown(victim.now);
            victim.output();
            assert_eq!(victim.it.state(), State::ShutdownPending);
        }
        victim.input(&[(kind::HEARTBEAT, 0, &info)]).unwrap();
        let out = victim.output();
        assert_eq!((kinds(&out[0]), chunks(&out[0])[0].value), (vec![kind::HEARTBEAT_ACK], &info[..]));
    }
}

#[test]
fn heartbeats_hold_a_fresh_nonce() {
    //= rfc9260#3.3.5
    //# When a HEARTBEAT chunk is being used for path verification purposes, it MUST include a random nonce of length 64 bits or longer ([RFC4086] provides some information on randomness guidelines).
    let mut victim = Victim::new(Config::default());
    let mut seen = std::collections::HashSet::new();
    for _ in 0..5 {
        victim.now = victim.it.poll_timeout().unwrap();
        victim.it.handle_timeout(victim.now).unwrap();
        let out = victim.output();
        let chunk = chunks(&out[0])[0];
        assert!(chunk.kind == kind::HEARTBEAT && chunk.value.len() >= 4 + 8);
        assert!(seen.insert(chunk.value.to_vec()));
        let value = chunk.value.to_vec();
        victim.input(&[(kind::HEARTBEAT_ACK, 0, &value)]).unwrap();
    }
}

#[test]
fn one_packet_is_answered_by_one_packet() {
    //= rfc9260#12.4
    //# When an SCTP implementation receives a packet containing multiple control or DATA chunks and the processing of the packet would result in sending multiple chunks in response, the sender of the response chunk(s) MUST NOT send more than one packet containing chunks other than DATA chunks.
    let unknown: Vec<(u8, u8, &[u8])> = vec![(0xFE, 0, &[]); 290];
    let mut victim = Victim::new(Config::rtc());
    victim.input(&unknown).unwrap();
    assert_eq!(victim.output().len(), 1);
    let long: Vec<(u8, u8, &[u8])> = vec![(0xFE, 0, &[7; 228]); 5];
    let mut victim = Victim::new(Config::rtc());
    victim.input(&long).unwrap();
    assert_eq!(victim.output().len(), 1, "five reports of 240 bytes do not fit");
    let data: Vec<_> = (0..40).map(|n| data_value(1000 + n, 65_535, 0, 53, b"no such stream")).collect();
    let list: Vec<(u8, u8, &[u8])> = data.iter().map(|d| (kind::DATA, 3, &d[..])).collect();
    let mut victim = Victim::new(Config { in_streams: 5, ..Config::rtc() });
    victim.input(&list).unwrap();
    assert_eq!(victim.output().len(), 1);
    let mut victim = Victim::new(Config::rtc());
    victim.input(&[(kind::HEARTBEAT, 0, &[7; 600]), (kind::HEARTBEAT, 0, &[7; 500])]).unwrap();
    assert_eq!(kinds(&victim.output()[0]), [kind::HEARTBEAT_ACK, kind::HEARTBEAT_ACK]);
}

#[test]
fn the_limit_of_retransmissions_ends_it() {
    //= rfc9260#8.1
    //# If the value of this counter exceeds the limit indicated in the protocol parameter 'Association.Max.Retrans', the endpoint SHOULD consider the peer endpoint unreachable and SHALL stop transmitting any more data to it (and thus the association enters the CLOSED state).
    //= rfc9260#8.1
    //# The counter used for endpoint failure detection MUST be reset each time a DATA chunk sent to that peer endpoint is acknowledged (by the reception of a SACK chunk).
    let mut victim = Victim::new(Config { max_retransmits: Some(3), heartbeat_interval: None, ..Config::default() });
    let mut tsn = victim.its_tsn;
    for failures in [3, 3, 4] {
        victim.it.send(victim.now, 0, 53, payload(0, 10), SendOptions::default()).unwrap();
        victim.output();
        for n in 1..=failures {
            victim.now = victim.it.poll_timeout().unwrap();
            let dead = victim.it.handle_timeout(victim.now).is_err();
            assert_eq!(dead, n > 3);
            assert!(victim.output().iter().all(|p| kinds(p)[0] == if dead { kind::ABORT } else { kind::DATA }));
        }
        if failures == 3 {
            let sack = [&tsn.to_be_bytes()[..], &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
            victim.input(&[(kind::SACK, 0, &sack)]).unwrap();
            tsn = tsn.wrapping_add(1);
        }
    }
    assert!(victim.it.is_over() && victim.output().is_empty());
    let stats = victim.it.stats();
    assert_eq!((stats.timeouts, stats.retransmissions), (10, 9), "what was counted is there after the end");
}

#[test]
fn port_0_is_never_used() {
    //= rfc9260#3.1
    //# The Source Port Number 0 MUST NOT be used.
    //= rfc9260#3.1
    //# The Destination Port Number 0 MUST NOT be used.
    let mut duo = Duo::new(&Config { local_port: 0, remote_port: 0, ..Config::rtc() });
    duo.a.connect(duo.now);
    assert_eq!(packets(&mut duo.a, duo.now)[0][..4], [0x13, 0x88, 0x13, 0x88]);
}

/// The values themselves; what they hold on the heap while they do nothing is measured in `tests/allocations.rs`.
#[test]
fn an_association_is_small() {
    let size = size_of::<Association>();
    assert!(size <= 1584, "{size}");
    let size = size_of::<weft_sctp::DataChannels>();
    assert!(size <= 1848, "{size}");
}

#[test]
fn an_init_ack_that_cannot_be() {
    let cookie = [0, 7, 0, 8, 1, 2, 3, 4];
    let with = |at: usize, len: usize| {
        let mut value = init_value(OUR_TAG, 1, &cookie);
        value[at..at + len].fill(0);
        value
    };
    // No tag, no streams either way: it ends.
    //= rfc9260#3.3.3
    //# If an endpoint in the COOKIE-WAIT state receives an INIT ACK chunk with the Initiate Tag set to 0, it MUST destroy the TCB and SHOULD send an ABORT chunk with the T bit set.
    //= rfc9260#3.3.3
    //# If an endpoint in the COOKIE-WAIT state receives an INIT ACK chunk with the OS value set to 0, it MUST destroy the TCB and SHOULD send an ABORT chunk.
    //= rfc9260#3.3.3
    //# If an endpoint in the COOKIE-WAIT state receives an INIT ACK chunk with the MIS value set to 0, it MUST destroy the TCB and SHOULD send an ABORT chunk.
    for (at, len) in [(0, 4), (8, 2), (10, 2)] {
        let (mut it, tag, now) = waiting(Config::rtc());
        assert!(it.handle_input(now, &packet(tag, &[(kind::INIT_ACK, 0, &with(at, len))])).is_err(), "{at}");
        assert!(it.is_over());
    }
    // A window too small: dropped, in INIT ACK and INIT.
    //= rfc9260#3.3.3
    //# A receiver of an INIT ACK chunk with the a_rwnd value set to a value smaller than 1500 MUST discard the packet, SHOULD send a packet in response containing an ABORT chunk and using the Initiate Tag as the Verification Tag, and MUST NOT change the state of any existing association.
    //= rfc9260#3.3.2
    //# A receiver of an INIT chunk with the a_rwnd value set to a value smaller than 1500 MUST discard the packet, SHOULD send a packet in response containing an ABORT chunk and using the Initiate Tag as the Verification Tag, and MUST NOT change the state of any existing association.
    let (mut it, tag, now) = waiting(Config::rtc());
    it.handle_input(now, &packet(tag, &[(kind::INIT_ACK, 0, &with(4, 4))])).unwrap();
    it.handle_input(now, &packet(0, &[(kind::INIT, 0, &with(4, 4))])).unwrap();
    let out = packets(&mut it, now);
    assert!(it.state() == State::CookieWait && out.len() == 2);
    assert!(out.iter().all(|p| (kinds(p), tag_of(p)) == (vec![kind::ABORT], OUR_TAG)));
    it.handle_input(now, &packet(tag, &[(kind::INIT_ACK, 0, &init_value(OUR_TAG, 1, &cookie))])).unwrap();
    assert_eq!(it.state(), State::CookieEchoed);
}

#[test]
fn an_init_ack_offers_at_least_1500_bytes() {
    //= rfc9260#3.3.3
    //# The Advertised Receiver Window Credit MUST NOT be smaller than 1500.
    let now = Instant::ORIGIN;
    let mut it = Association::new(Config { receive_buffer: 10, ..Config::rtc() }, Rng::from_test_seed(1));
    it.handle_input(now, &packet(0, &[(kind::INIT, 0, &init_value(7, 1, &[]))])).unwrap();
    assert_eq!(Init::parse(chunks(&packets(&mut it, now)[0])[0].value).unwrap().a_rwnd, 1500);
}

#[test]
fn an_init_ack_with_what_is_not_offered_is_taken_and_reported() {
    //= rfc3758#3.3.2
    //# When a receiver of an INIT-ACK detects a Forward-TSN-Supported parameter and it does not support the Forward-TSN chunk type, the receiver MUST follow the rules defined in Section 3.3.3 of RFC 2960 [2].
    let (mut it, tag, now) = waiting(Config { partial_reliability: false, ..Config::rtc() });
    let value = init_value(OUR_TAG, 1, &[0xC0, 0, 0, 4, 0, 7, 0, 8, 1, 2, 3, 4]);
    it.handle_input(now, &packet(tag, &[(kind::INIT_ACK, 0, &value)])).unwrap();
    let out = packets(&mut it, now).remove(0);
    assert_eq!(kinds(&out), [kind::COOKIE_ECHO, kind::ERROR]);
    assert_eq!(chunks(&out)[1].value, [0, 8, 0, 8, 0xC0, 0, 0, 4]);
}

#[test]
fn an_init_after_the_end_is_refused_for_want_of_resources() {
    let mut victim = Victim::new(Config::rtc());
    victim.it.abort(victim.now);
    victim.output();
    for tag in [OUR_TAG, 0x0102_0304] {
        let init = packet(0, &[(kind::INIT, 0, &init_value(tag, 5, &[]))]);
        victim.it.handle_input(victim.now, &init).unwrap();
        let answer = victim.output().remove(0);
        assert_eq!((tag_of(&answer), kinds(&answer)), (tag, vec![kind::ABORT]));
        let (flags, value) = (chunks(&answer)[0].flags, chunks(&answer)[0].value);
        assert_eq!((flags, value), (0, &[0, 4, 0, 4][..]), "cause 4: Out of Resource");
    }
    assert!(victim.it.is_over() && victim.it.receive().is_none());
}

/// The bare crate keeps RFC 9260 section 16; under a peer connection ICE decides who is dead.
#[test]
fn defaults_are_those_of_the_rfc_and_rtc_sets_no_limit_to_retransmissions() {
    let bare = Config::default();
    assert_eq!((bare.rto_initial, bare.rto_min, bare.rto_max), (secs(1), secs(1), secs(60)));
    assert_eq!((bare.max_retransmits, bare.max_init_retransmits, bare.max_burst), (Some(10), Some(8), 4));
    assert_eq!((bare.cookie_lifetime, bare.heartbeat_interval), (secs(60), Some(secs(30))));
    let rtc = Config::rtc();
    assert_eq!((rtc.max_retransmits, rtc.max_init_retransmits, rtc.rto_max), (None, None, secs(10)));
    // Nobody answers for an hour: it still tries, every ten seconds.
    let mut victim = Victim::new(Config { heartbeat_interval: None, ..rtc });
    victim.it.send(victim.now, 0, 53, payload(0, 100), SendOptions::default()).unwrap();
    let mut left = Vec::new();
    while victim.now < Instant::from_millis(3_600_000) {
        left.extend(victim.output().iter().map(|_| victim.now));
        victim.now = victim.it.poll_timeout().unwrap();
        victim.it.handle_timeout(victim.now).unwrap();
    }
    assert_eq!(victim.it.state(), State::Established);
    assert!(left.windows(2).all(|pair| pair[1] - pair[0] <= secs(10)) && left.len() > 360, "{}", left.len());
}
