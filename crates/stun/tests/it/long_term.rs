//! The long-term credential mechanism (RFC 8489 section 9.2).

use weft_core::{Frame, Full, Overhead};
use weft_stun::{
    AttributeType, Class, CredentialError, Credentials, ErrorCode, Integrity, IntegrityKey, LongTerm, Message,
    MessageBuilder, Method, Nonce, PasswordAlgorithm, PasswordAlgorithmId, Realm, Software, TransactionId, Userhash,
    Username, Verdict, userhash,
};

const BOTH: &[u8] = &[0, 2, 0, 0, 0, 1, 0, 0];

fn build(class: Class, fill: impl FnOnce(&mut MessageBuilder<'_, '_>) -> Result<(), Full>) -> Vec<u8> {
    let mut buf = [0; 2048];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    let mut builder = MessageBuilder::new(&mut frame, class, Method::ALLOCATE, TransactionId([7; 12])).unwrap();
    fill(&mut builder).unwrap();
    frame.content().to_vec()
}

fn error(code: ErrorCode<'static>, fill: impl FnOnce(&mut MessageBuilder<'_, '_>) -> Result<(), Full>) -> Vec<u8> {
    build(Class::Error, |b| {
        b.attribute(&code)?;
        fill(b)
    })
}

fn challenge(code: ErrorCode<'static>, realm: &str, nonce: &str, algorithms: Option<&[u8]>) -> Vec<u8> {
    error(code, |b| {
        b.attribute(&Realm(realm))?.attribute(&Nonce(nonce))?;
        algorithms.map(|list| b.raw(AttributeType::PASSWORD_ALGORITHMS, list)).transpose().map(|_| ())
    })
}

fn judge(long_term: &mut LongTerm, bytes: &[u8]) -> Verdict {
    long_term.judge(&Message::parse(bytes).unwrap())
}

fn request(long_term: &LongTerm) -> Vec<u8> {
    build(Class::Request, |b| long_term.write(b))
}

fn alice() -> LongTerm {
    LongTerm::new(Some(Credentials::new("alice", "secret")))
}

fn kinds(bytes: &[u8]) -> Vec<AttributeType> {
    Message::parse(bytes).unwrap().attributes().map(|raw| raw.kind).collect()
}

const MD5: AttributeType = AttributeType::MESSAGE_INTEGRITY;
const SHA256: AttributeType = AttributeType::MESSAGE_INTEGRITY_SHA256;

//= rfc8489#9.2.5
//# The request MUST contain the REALM, copied from the error response.
//= rfc8489#9.2.5
//# The request MUST contain the NONCE, copied from the error response.
//= rfc8489#9.2.5
//# This request MUST contain a USERNAME or a USERHASH, determined by the client as the appropriate username for the REALM from the error response.
//= rfc8489#9.2.3.2
//# It MUST include a MESSAGE-INTEGRITY attribute or a MESSAGE-INTEGRITY-SHA256 attribute, computed as described in Sections 14.5 and 14.6 using the cached password.
//= rfc8489#9.2.3.2
//# When the client sends a subsequent request, it MUST include either the USERNAME or USERHASH, REALM, NONCE, and PASSWORD-ALGORITHM attributes with these cached values.
#[test]
fn a_challenge_is_answered() {
    let mut long_term = alice();
    assert!(!long_term.is_authenticating() && kinds(&request(&long_term)).is_empty());
    assert_eq!(judge(&mut long_term, &challenge(ErrorCode::UNAUTHENTICATED, "r", "n1", None)), Verdict::Retry);
    let bytes = request(&long_term);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(kinds(&bytes), [AttributeType::USERNAME, AttributeType::REALM, AttributeType::NONCE, MD5]);
    assert_eq!(message.get(), Ok(Some(Username("alice"))));
    let key = IntegrityKey::long_term(PasswordAlgorithmId::Md5, "alice", "r", "secret");
    assert_eq!(message.check_integrity(&key), Integrity::Sha1);
    assert_eq!(long_term.realm(), Some("r"));
}

//= rfc8489#9.2.5
//# If the response contains a PASSWORD-ALGORITHMS attribute, the request MUST contain the PASSWORD-ALGORITHMS attribute with the same content.
//= rfc8489#9.2.5
//# If the response contains a PASSWORD-ALGORITHMS attribute, and this attribute contains at least one algorithm that is supported by the client, then the request MUST contain a PASSWORD-ALGORITHM attribute with the first algorithm supported on the list.
//= rfc8489#9.2.5
//# If the response contains a PASSWORD-ALGORITHMS attribute, all the subsequent requests MUST be authenticated using MESSAGE-INTEGRITY-SHA256 only.
#[test]
fn the_first_algorithm_we_know_is_taken() {
    let unknown_first = &[0, 9, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0][..];
    for (list, number) in [(BOTH, 2), (&[0, 1, 0, 0, 0, 2, 0, 0][..], 1), (unknown_first, 2)] {
        let mut long_term = alice();
        let bytes = challenge(ErrorCode::UNAUTHENTICATED, "r", "obMatJos2gAAAn", Some(list));
        assert_eq!(judge(&mut long_term, &bytes), Verdict::Retry);
        let bytes = request(&long_term);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.get(), Ok(Some(PasswordAlgorithm { algorithm: number, parameters: &[] })));
        let sent = message.attributes().find(|raw| raw.kind == AttributeType::PASSWORD_ALGORITHMS).unwrap();
        assert_eq!(sent.value, list);
        assert!(kinds(&bytes).ends_with(&[SHA256]) && !message.has(MD5));
        let algorithm = PasswordAlgorithmId::from_number(number).unwrap();
        let key = IntegrityKey::long_term(algorithm, "alice", "r", "secret");
        assert_eq!(message.check_integrity(&key), Integrity::Sha256);
        // A response with the weaker attribute is none.
        let weak = build(Class::Success, |b| b.integrity(&key).map(|_| ()));
        assert_eq!(judge(&mut long_term, &weak), Verdict::Discard);
        let list = |b: &mut MessageBuilder<'_, '_>| b.integrity_sha256(&key).map(|_| ());
        assert_eq!(judge(&mut long_term, &build(Class::Success, list)), Verdict::Accept);
    }
}

//= rfc8489#9.2.5
//# If so and the "nonce cookie" has the STUN Security Feature "Password algorithms" bit set to 1 but no PASSWORD-ALGORITHMS attribute is present, then the client MUST NOT retry the request with a new transaction.
//= rfc8489#9.2.5
//# For all other responses, if the NONCE attribute starts with the "nonce cookie" with the STUN Security Feature "Password algorithms" bit set to 1 but PASSWORD-ALGORITHMS is not present, the response MUST be ignored.
//= rfc8489#9.2.5
//# If the response contains a PASSWORD-ALGORITHMS attribute, and this attribute does not contain any algorithm that is supported by the client, then the client MUST NOT retry the request with a new transaction.
//= rfc8489#9.2.5
//# If the response is an error response with an error code of 401 (Unauthenticated) or 438 (Stale Nonce), the client MUST test if the NONCE attribute value starts with the "nonce cookie".
#[test]
fn a_bid_down_is_noticed() {
    for code in [ErrorCode::UNAUTHENTICATED, ErrorCode::STALE_NONCE] {
        for nonce in ["obMatJos2gAAAn", "obMatJos2wAAAn"] {
            let verdict = judge(&mut alice(), &challenge(code, "r", nonce, None));
            assert_eq!(verdict, Verdict::Refused(CredentialError::BidDown));
        }
    }
    let other = error(ErrorCode::SERVER_ERROR, |b| b.attribute(&Nonce("obMatJos2gAAAn")).map(|_| ()));
    assert_eq!(judge(&mut alice(), &other), Verdict::Discard);
    let none = challenge(ErrorCode::UNAUTHENTICATED, "r", "obMatJos2gAAAn", Some(&[0, 9, 0, 0]));
    assert_eq!(judge(&mut alice(), &none), Verdict::Refused(CredentialError::NoCommonAlgorithm));
    // No cookie, or one that says nothing of algorithms.
    for nonce in ["obMatJos2QAAAn", "obMatJos2AAAAn", "obMatJos2", "obMatJos2gA", "obMatJos2żółw", "n"] {
        let bytes = challenge(ErrorCode::UNAUTHENTICATED, "r", nonce, None);
        assert_eq!(judge(&mut alice(), &bytes), Verdict::Retry, "{nonce}");
    }
}

//= rfc8489#9.2.5
//# If the "nonce cookie" is present and has the STUN Security Feature "Username anonymity" bit set to 1, then the USERHASH attribute MUST be used; else, the USERNAME attribute MUST be used.
#[test]
fn a_name_is_hidden_when_the_server_can_do_without() {
    let mut long_term = alice();
    judge(&mut long_term, &challenge(ErrorCode::UNAUTHENTICATED, "r", "obMatJos2QAAAn", None));
    let bytes = request(&long_term);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.get(), Ok(Some(Userhash(userhash("alice", "r")))));
    assert!(!message.has(AttributeType::USERNAME));
}

//= rfc8489#9.2.5
//# The client MUST NOT perform this retry if it is not changing the USERNAME, USERHASH, REALM, or its associated password from the previous attempt.
//= rfc8489#9.2.5
//# If the response is an error response with an error code of 438 (Stale Nonce), the client MUST retry the request, using the new NONCE attribute supplied in the 438 (Stale Nonce) response.
//= rfc8489#9.2.5
//# This retry MUST also include either the USERNAME or USERHASH, the REALM, and either the MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 attribute.
#[test]
fn wrong_credentials_are_tried_once_and_nonces_change() {
    let mut long_term = alice();
    assert_eq!(judge(&mut long_term, &challenge(ErrorCode::UNAUTHENTICATED, "r", "n1", None)), Verdict::Retry);
    let again = challenge(ErrorCode::UNAUTHENTICATED, "r", "n2", None);
    assert_eq!(judge(&mut long_term, &again), Verdict::Refused(CredentialError::Wrong));
    let other_realm = challenge(ErrorCode::UNAUTHENTICATED, "r2", "n2", None);
    assert_eq!(judge(&mut long_term, &other_realm), Verdict::Retry);
    // A 438 may come with nothing but the nonce.
    let stale = error(ErrorCode::STALE_NONCE, |b| b.attribute(&Nonce("n3")).map(|_| ()));
    assert_eq!(judge(&mut long_term, &stale), Verdict::Retry);
    let bytes = request(&long_term);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.get(), message.get()), (Ok(Some(Nonce("n3"))), Ok(Some(Realm("r2")))));
    assert!(message.get() == Ok(Some(Username("alice"))) && message.has(MD5));
    // But not for ever.
    let verdicts: Vec<_> = (0..9).map(|_| judge(&mut long_term, &stale)).collect();
    assert_eq!(verdicts.last(), Some(&Verdict::Refused(CredentialError::NonceLoop)));
}

//= rfc8656#6
//# Note that if the response contains a PASSWORD-ALGORITHMS attribute and this attribute contains both MD5 and SHA-256 algorithms, and the client also supports both the algorithms, the request MUST contain a PASSWORD-ALGORITHM attribute with the SHA-256 algorithm.
//= rfc8489#18.5.1.1
//# Note: This algorithm MUST only be used for compatibility with legacy systems.
#[test]
fn turn_takes_sha256_wherever_it_stands() {
    for (list, number) in [(&[0, 1, 0, 0, 0, 2, 0, 0][..], 2), (&[0, 2, 0, 0, 0, 1, 0, 0], 2), (&[0, 1, 0, 0], 1)] {
        let mut long_term = alice().preferring_sha256();
        let bytes = challenge(ErrorCode::UNAUTHENTICATED, "r", "obMatJos2gAAAn", Some(list));
        assert_eq!(judge(&mut long_term, &bytes), Verdict::Retry);
        let bytes = request(&long_term);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.get(), Ok(Some(PasswordAlgorithm { algorithm: number, parameters: &[] })));
    }
}

#[test]
fn a_username_that_is_too_long_is_not_sent() {
    for (len, expected) in [(508, Verdict::Retry), (509, Verdict::Refused(CredentialError::TooLong))] {
        let mut long_term = LongTerm::new(Some(Credentials::new("u".repeat(len), "secret")));
        assert_eq!(judge(&mut long_term, &challenge(ErrorCode::UNAUTHENTICATED, "r", "n", None)), expected);
    }
}

#[test]
fn a_challenge_that_is_none() {
    let bare = error(ErrorCode::UNAUTHENTICATED, |_| Ok(()));
    assert_eq!(judge(&mut alice(), &bare), Verdict::Refused(CredentialError::Malformed));
    let mut nobody = LongTerm::new(None);
    let bytes = challenge(ErrorCode::UNAUTHENTICATED, "r", "n", None);
    assert_eq!(judge(&mut nobody, &bytes), Verdict::Refused(CredentialError::Required));
    let long = vec![0; 4 * 17];
    let bytes = challenge(ErrorCode::UNAUTHENTICATED, "r", "n", Some(&long));
    assert_eq!(judge(&mut alice(), &bytes), Verdict::Refused(CredentialError::Malformed));
}

//= rfc8489#9.2.5
//# If the response is an error response with an error code of 400 (Bad Request) and does not contain either the MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 attribute, then the response MUST be discarded, as if it were never received.
//= rfc8489#14.8
//# This error response MUST be protected with the MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 attribute, and receivers MUST validate the MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 of this response before redirecting themselves to an alternate server.
//= rfc8489#9.2.5
//# If the request was sent over an unreliable transport, the response MUST be discarded, as if it had never been received.
#[test]
fn only_what_is_signed_counts_once_requests_are() {
    let mut long_term = alice();
    let plain = build(Class::Success, |b| b.attribute(&Software("x")).map(|_| ()));
    assert_eq!(judge(&mut long_term, &plain), Verdict::Accept, "before credentials were asked for");
    judge(&mut long_term, &challenge(ErrorCode::UNAUTHENTICATED, "r", "n", None));
    assert_eq!(judge(&mut long_term, &plain), Verdict::Discard);
    for code in [ErrorCode::BAD_REQUEST, ErrorCode::ALLOCATION_MISMATCH, ErrorCode::SERVER_ERROR] {
        assert_eq!(judge(&mut long_term, &error(code, |_| Ok(()))), Verdict::Discard);
    }
    let wrong = IntegrityKey::long_term(PasswordAlgorithmId::Md5, "alice", "r", "guess");
    let forged = build(Class::Success, |b| b.integrity(&wrong).map(|_| ()));
    assert_eq!(judge(&mut long_term, &forged), Verdict::Discard);
    let key = IntegrityKey::long_term(PasswordAlgorithmId::Md5, "alice", "r", "secret");
    let signed = error(ErrorCode::BAD_REQUEST, |b| b.integrity(&key).map(|_| ()));
    assert_eq!(judge(&mut long_term, &signed), Verdict::Accept);
    // A redirection has to be signed, too, unless nobody has asked for credentials yet (RFC 8489 section 10).
    assert_eq!(judge(&mut long_term, &error(ErrorCode::TRY_ALTERNATE, |_| Ok(()))), Verdict::Discard);
    assert_eq!(judge(&mut alice(), &error(ErrorCode::TRY_ALTERNATE, |_| Ok(()))), Verdict::Accept);
    // An error without a code says nothing.
    assert_eq!(judge(&mut long_term, &build(Class::Error, |_| Ok(()))), Verdict::Discard);
    assert!(!format!("{:?}", Credentials::new("alice", "secret")).contains("secret"));
}
