//! Access tokens of an authorization server: RFC 7635, against the scripted server and message by message.

use core::time::Duration;

use weft_core::{Frame, Full, Overhead};
use weft_stun::turn::{Config, Event, Failure, State};
use weft_stun::{
    AccessToken, AttributeType, Class, CredentialError, Credentials, ErrorCode, Integrity, IntegrityKey, LongTerm,
    Message, MessageBuilder, Method, Nonce, OAuthToken, Realm, ThirdPartyAuthorization, TransactionId, Username,
    Verdict,
};
use weft_testkit::{ThirdParty, TurnServerConfig};

use super::world::{World, address};

const SECOND: Duration = Duration::from_secs(1);
const KEY: [u8; 20] = [7; 20];
const NAME: &str = "turn1@example.com";

fn token(n: u8) -> OAuthToken {
    OAuthToken::new("22BIjxU93h/IgwEb", vec![n; 100], [KEY[0] + n; 20])
}

/// A server that takes these tokens, and no password.
fn server(tokens: &[u8]) -> TurnServerConfig {
    let tokens = tokens.iter().map(|n| (vec![*n; 100], vec![KEY[0] + n; 20])).collect();
    let third_party = Some(ThirdParty { server_name: NAME.to_owned(), tokens });
    TurnServerConfig { user: None, third_party, ..Default::default() }
}

fn built(class: Class, method: Method, fill: impl FnOnce(&mut MessageBuilder<'_, '_>) -> Result<(), Full>) -> Vec<u8> {
    let mut buf = [0; 2048];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    fill(&mut MessageBuilder::new(&mut frame, class, method, TransactionId([7; 12])).unwrap()).unwrap();
    frame.content().to_vec()
}

fn challenge(code: ErrorCode<'static>, third_party: bool) -> Vec<u8> {
    built(Class::Error, Method::ALLOCATE, |b| {
        b.attribute(&code)?.attribute(&Realm("r"))?.attribute(&Nonce("n"))?;
        if third_party {
            b.attribute(&ThirdPartyAuthorization(NAME))?;
        }
        Ok(())
    })
}

fn judged(long_term: &mut LongTerm, bytes: &[u8]) -> Verdict {
    long_term.judge(&Message::parse(bytes).unwrap())
}

//= rfc7635#6.2
//# Note that the self-contained token is opaque to the client, and the client MUST NOT examine the token.
//= rfc7635#6.2
//# The key length of 160 bits MUST be supported (i.e., only the 160-bit key is used by HMAC-SHA-1 for message integrity of STUN messages).
/// RFC 7635 section 5: kid in USERNAME, the token in ACCESS-TOKEN, the HMAC with the mac_key as it is.
#[test]
fn a_request_with_a_token() {
    let mut long_term = LongTerm::new(Some(Credentials::third_party(token(1))));
    assert_eq!(judged(&mut long_term, &challenge(ErrorCode::UNAUTHENTICATED, true)), Verdict::Retry);
    assert!(long_term.uses_token());
    assert_eq!(long_term.third_party(), Some(NAME));
    let request = built(Class::Request, Method::ALLOCATE, |b| long_term.write(b));
    let message = Message::parse(&request).unwrap();
    let kinds: Vec<_> = message.attributes().map(|raw| raw.kind).collect();
    let expected = [
        AttributeType::USERNAME,
        AttributeType::REALM,
        AttributeType::NONCE,
        AttributeType::ACCESS_TOKEN,
        AttributeType::MESSAGE_INTEGRITY,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(message.get(), Ok(Some(Username("22BIjxU93h/IgwEb"))));
    assert_eq!(message.get(), Ok(Some(AccessToken(&[1; 100]))));
    assert_eq!(message.check_integrity(&IntegrityKey::mac_key(&[8; 20])), Integrity::Sha1);
    assert!(!message.check_integrity(&IntegrityKey::mac_key(&KEY)).holds());
}

//= rfc7635#9
//# The TURN client MUST include the ACCESS-TOKEN attribute only in Allocate and Refresh requests.
#[test]
fn the_token_goes_with_allocate_and_refresh_alone() {
    let mut world = World::new(1, Config::new(Credentials::third_party(token(1))), server(&[1]));
    world.client.bind_channel(world.now, address("203.0.113.9:7000")).unwrap();
    world.run(SECOND * 1200);
    assert_eq!(world.client.state(), State::Allocated, "{:?}", world.events);
    assert!(world.has(|event| matches!(event, Event::ChannelBound(_))), "{:?}", world.events);
    let mut seen = std::collections::BTreeSet::new();
    for bytes in world.sent.iter().skip(1) {
        let Ok(message) = Message::parse(bytes) else { continue };
        if message.class() == Class::Request {
            let expected = matches!(message.method(), Method::ALLOCATE | Method::REFRESH);
            assert_eq!(message.has(AttributeType::ACCESS_TOKEN), expected, "{:?}", message.method());
            seen.insert(message.method().number());
        }
    }
    assert_eq!(seen.len(), 4, "Allocate, Refresh, CreatePermission, ChannelBind: {seen:?}");
}

//= rfc7635#8
//# If MESSAGE-INTEGRITY is absent or the value computed for message integrity using mac_key does not match the contents of the MESSAGE-INTEGRITY attribute, then the response MUST be discarded.
#[test]
fn an_answer_of_another_key_is_none() {
    let mut long_term = LongTerm::new(Some(Credentials::third_party(token(1))));
    judged(&mut long_term, &challenge(ErrorCode::UNAUTHENTICATED, true));
    let sign = |key: [u8; 20]| {
        built(Class::Success, Method::ALLOCATE, |b| b.integrity(&IntegrityKey::mac_key(&key)).map(|_| ()))
    };
    assert_eq!(judged(&mut long_term, &built(Class::Success, Method::ALLOCATE, |_| Ok(()))), Verdict::Discard);
    assert_eq!(judged(&mut long_term, &sign(KEY)), Verdict::Discard);
    assert_eq!(judged(&mut long_term, &sign([8; 20])), Verdict::Accept);
}

//= rfc7635#6.1
//# If the client is able to comprehend THIRD-PARTY-AUTHORIZATION, it MUST ensure that third-party authorization takes precedence over first-party authentication (as explained in Section 10 of [RFC5389]).
#[test]
fn a_token_goes_before_a_password_where_the_server_takes_both() {
    for (offered, expected) in [(true, Some(AccessToken(&[1; 100][..]))), (false, None)] {
        let both = Credentials::new("alice", "secret").with_token(token(1));
        let mut long_term = LongTerm::new(Some(both));
        assert_eq!(judged(&mut long_term, &challenge(ErrorCode::UNAUTHENTICATED, offered)), Verdict::Retry);
        let request = built(Class::Request, Method::ALLOCATE, |b| long_term.write(b));
        let message = Message::parse(&request).unwrap();
        assert_eq!(message.get::<AccessToken<'_>>(), Ok(expected));
        let name = if offered { "22BIjxU93h/IgwEb" } else { "alice" };
        assert_eq!(message.get(), Ok(Some(Username(name))));
        // A new nonce, with nothing but that: still the token.
        let stale = built(Class::Error, Method::ALLOCATE, |b| {
            b.attribute(&ErrorCode::STALE_NONCE)?.attribute(&Nonce("n2")).map(|_| ())
        });
        assert_eq!(judged(&mut long_term, &stale), Verdict::Retry);
        assert_eq!(long_term.uses_token(), offered);
    }
    // Who has a password alone uses it, and who has neither is told what is lacking.
    let mut password = LongTerm::new(Some(Credentials::new("alice", "secret")));
    assert_eq!(judged(&mut password, &challenge(ErrorCode::UNAUTHENTICATED, true)), Verdict::Retry);
    assert!(!password.uses_token());
    let refused =
        |credentials, offered| judged(&mut LongTerm::new(credentials), &challenge(ErrorCode::UNAUTHENTICATED, offered));
    assert_eq!(refused(None, true), Verdict::Refused(CredentialError::TokenRequired));
    assert_eq!(refused(None, false), Verdict::Refused(CredentialError::Required));
    let token_alone = Some(Credentials::third_party(token(1)));
    assert_eq!(refused(token_alone, false), Verdict::Refused(CredentialError::Required));
}

//= rfc7635#6.1
//# The authorization server may have tie ups with multiple STUN servers and vice versa, so the client MUST provide the STUN server name to the authorization server so that it can select the appropriate keying material to generate the self-contained token.
#[test]
fn who_has_no_token_learns_the_name_to_ask_for_one_with() {
    let mut world = World::new(2, Config::default(), server(&[1]));
    world.run(SECOND);
    let expected = Event::Failed(Failure::TokenRequired { server: NAME.to_owned() });
    assert!(world.has(|event| *event == expected), "{:?}", world.events);
    // The application has got one.
    world.client.set_credentials(world.now, Credentials::third_party(token(1)));
    let path = world.client.path();
    world.client.connect(world.now, path);
    world.run(SECOND);
    assert_eq!(world.client.state(), State::Allocated, "{:?}", world.events);
}

//= rfc7635#8
//# If the access token expires, then the client MUST obtain a new token from the authorization server and use it for new STUN requests.
//= rfc7635#9
//# If the access token expires, then the client MUST obtain a new token from the authorization server and use it for new allocations.
//= rfc7635#9
//# The client MUST use the new token to refresh existing allocations.
#[test]
fn a_new_token_takes_the_place_of_the_old_one() {
    for late in [false, true] {
        let mut world = World::new(3, Config::new(Credentials::third_party(token(1))), server(&[1]));
        let peer = address("203.0.113.9:7000");
        world.client.bind_channel(world.now, peer).unwrap();
        world.run(SECOND * 30);
        // The server's allocation knows the old key; from now on only the new token is good.
        world.server().config.third_party = server(&[2]).third_party;
        if late {
            world.run(SECOND * 520);
            let told = Event::TokenRequired { server: NAME.to_owned() };
            assert!(world.has(|event| *event == told), "{:?}", world.events);
        }
        assert_eq!(world.client.state(), State::Allocated);
        world.client.set_credentials(world.now, Credentials::third_party(token(2)));
        world.client.permit(world.now, "203.0.113.10".parse().unwrap()).unwrap();
        world.run(SECOND * 1800);
        assert!(!world.has(|event| matches!(event, Event::Lost(_) | Event::Failed(_))), "{late} {:?}", world.events);
        assert_eq!(world.count(|event| matches!(event, Event::Permitted(_))), 2);
        assert!(world.send(peer, b"still"));
        world.run(SECOND);
        assert_eq!(world.at_peer.last().unwrap().2, b"still");
    }
}

/// Credentials that come while the first request is under way are in time; a password that comes later is for the next allocation.
#[test]
fn credentials_may_come_late() {
    let mut world = World::new(5, Config::default(), server(&[1]));
    world.run(Duration::from_millis(30));
    world.client.set_credentials(world.now, Credentials::third_party(token(1)));
    world.run(SECOND);
    assert_eq!(world.client.state(), State::Allocated, "{:?}", world.events);
    let password = Credentials::new("alice", "secret");
    let mut world = World::new(5, Config::new(password), TurnServerConfig::default());
    world.run(SECOND);
    world.server().config.user = Some(("bob".to_owned(), "word".to_owned()));
    world.client.set_credentials(world.now, Credentials::new("bob", "word"));
    world.server().restart();
    world.client.refresh(world.now);
    world.run(SECOND * 700);
    assert_eq!(world.servers[0].allocations(), 1, "{:?}", world.events);
}

#[test]
fn without_a_new_token_the_allocation_lasts_until_it_expires() {
    let mut world = World::new(4, Config::new(Credentials::third_party(token(1))), server(&[1]));
    world.run(SECOND);
    world.server().config.third_party = server(&[2]).third_party;
    world.run(SECOND * 590);
    assert_eq!(world.client.state(), State::Allocated);
    world.run(SECOND * 60);
    let expected = Event::Failed(Failure::TokenRequired { server: NAME.to_owned() });
    assert!(world.has(|event| *event == expected), "{:?}", world.events);
}

#[test]
fn a_token_is_read_as_it_is_written_in_json_and_never_shown() {
    let expected = OAuthToken::new("k", [0xFB, 0xFF, 1], [0xFF; 20]);
    let key = "_____________________________".trim_end_matches("__").to_owned();
    for (access_token, mac_key) in [("+/8B", "//////////////////////////8="), ("-_8B", "__________________________8")] {
        assert_eq!(OAuthToken::from_base64("k", access_token, mac_key).unwrap(), expected);
    }
    assert!(OAuthToken::from_base64("k", "not base64!", &key).is_err());
    let shown = format!("{:?} {:?}", token(1), Credentials::third_party(token(1)));
    assert!(shown.contains("22BIjxU93h") && !shown.contains("[1,") && !shown.contains("8, 8"), "{shown}");
}
