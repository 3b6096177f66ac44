//! Messages: told from other datagrams, read, verified, written.

use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{Criterion, Throughput};
use weft_core::{Frame, Overhead};
use weft_stun::{
    Class, IceControlling, IntegrityKey, Message, MessageBuilder, Method, Priority, TransactionId, Username,
    XorMappedAddress,
};

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
const USERNAME: &str = "evtj:h6vY";
const ID: [u8; 12] = [7; 12];

fn address() -> SocketAddr {
    "192.0.2.1:32853".parse().unwrap()
}

/// A connectivity check as agents send it.
fn check(key: &IntegrityKey) -> Vec<u8> {
    let mut buf = [0; 256];
    let mut frame = Frame::new(&mut buf, Overhead::NONE);
    let mut message = MessageBuilder::new(&mut frame, Class::Request, Method::BINDING, TransactionId(ID)).unwrap();
    message.attribute(&Username(USERNAME)).unwrap().attribute(&IceControlling(1)).unwrap();
    message.attribute(&Priority(0x6E00_01FF)).unwrap().integrity(key).unwrap().fingerprint().unwrap();
    frame.content().to_vec()
}

pub(crate) fn messages(criterion: &mut Criterion) {
    let key = IntegrityKey::short_term(PASSWORD);
    let check = check(&key);
    println!("a check: {} bytes", check.len());

    let mut group = criterion.benchmark_group("stun_claims");
    group.throughput(Throughput::Elements(2));
    let record = [[23, 254, 253, 0].as_slice(), &[0x5A; 1196]].concat();
    group.bench_function("weft", |b| {
        b.iter(|| (Message::claims(black_box(&record)), Message::claims(black_box(&check))));
    });
    #[cfg(feature = "ice-peers")]
    group.bench_function("stun", |b| {
        b.iter(|| (stun::message::is_message(black_box(&record)), stun::message::is_message(black_box(&check))));
    });
    group.finish();

    let mut group = criterion.benchmark_group("stun_read");
    group.throughput(Throughput::Elements(1));
    group.bench_function("weft", |b| {
        b.iter(|| {
            let message = Message::parse(black_box(&check)).unwrap();
            let username = message.get::<Username<'_>>().unwrap().unwrap();
            let priority = message.get::<Priority>().unwrap().unwrap();
            black_box((username.0.len(), priority.0))
        });
    });
    #[cfg(feature = "ice-peers")]
    peers::read(&mut group, &check);
    group.finish();

    let mut group = criterion.benchmark_group("stun_verify");
    group.throughput(Throughput::Elements(1));
    group.bench_function("weft", |b| {
        b.iter(|| {
            let message = Message::parse(black_box(&check)).unwrap();
            assert!(message.has_valid_fingerprint() && message.check_integrity(&key).holds());
        });
    });
    #[cfg(feature = "ice-peers")]
    peers::verify(&mut group, &check);
    group.finish();

    let mut group = criterion.benchmark_group("stun_write");
    group.throughput(Throughput::Elements(1));
    let mut buf = [0; 256];
    group.bench_function("weft", |b| {
        b.iter(|| {
            let mut frame = Frame::new(&mut buf, Overhead::NONE);
            let id = TransactionId(black_box(ID));
            let mut message = MessageBuilder::new(&mut frame, Class::Success, Method::BINDING, id).unwrap();
            message.attribute(&XorMappedAddress(black_box(address()))).unwrap();
            message.integrity(&key).unwrap().fingerprint().unwrap();
            black_box(frame.content().len())
        });
    });
    #[cfg(feature = "ice-peers")]
    peers::write(&mut group);
    group.finish();
}

/// The same by others. What they can keep between messages they keep.
#[cfg(feature = "ice-peers")]
mod peers {
    use criterion::BenchmarkGroup;
    use criterion::measurement::WallTime;
    use stun::attributes::{ATTR_PRIORITY, ATTR_USERNAME};
    use stun_rs::attributes::{ice, stun as rs};

    use super::{ID, PASSWORD, address, black_box};

    fn rs_key() -> stun_rs::HMACKey {
        stun_rs::HMACKey::new_short_term(PASSWORD).unwrap()
    }

    pub(super) fn read(group: &mut BenchmarkGroup<'_, WallTime>, check: &[u8]) {
        let mut message = stun::message::Message::new();
        group.bench_function("stun", |b| {
            b.iter(|| {
                message.unmarshal_binary(black_box(check)).unwrap();
                let username = message.get(ATTR_USERNAME).unwrap();
                let priority = message.get(ATTR_PRIORITY).unwrap();
                black_box((username.len(), priority.len()))
            });
        });
        let decoder = stun_rs::MessageDecoderBuilder::default().build();
        group.bench_function("stun-rs", |b| {
            b.iter(|| {
                let (message, _) = decoder.decode(black_box(check)).unwrap();
                let username = message.get::<rs::UserName>().unwrap().as_user_name().unwrap();
                let priority = message.get::<ice::Priority>().unwrap().as_priority().unwrap();
                black_box((username.as_str().len(), priority.as_u32()))
            });
        });
    }

    pub(super) fn verify(group: &mut BenchmarkGroup<'_, WallTime>, check: &[u8]) {
        let mut message = stun::message::Message::new();
        let integrity = stun::integrity::MessageIntegrity::new_short_term_integrity(PASSWORD.to_owned());
        group.bench_function("stun", |b| {
            b.iter(|| {
                message.unmarshal_binary(black_box(check)).unwrap();
                stun::fingerprint::FINGERPRINT.check(&message).unwrap();
                integrity.check(&mut message).unwrap();
            });
        });
        let context = stun_rs::DecoderContextBuilder::default().with_key(rs_key()).with_validation().build();
        let decoder = stun_rs::MessageDecoderBuilder::default().with_context(context).build();
        group.bench_function("stun-rs", |b| b.iter(|| decoder.decode(black_box(check)).unwrap().1));
    }

    pub(super) fn write(group: &mut BenchmarkGroup<'_, WallTime>) {
        use stun::message::Setter as _;
        let integrity = stun::integrity::MessageIntegrity::new_short_term_integrity(PASSWORD.to_owned());
        let mut message = stun::message::Message::new();
        group.bench_function("stun", |b| {
            b.iter(|| {
                message.reset();
                message.set_type(stun::message::BINDING_SUCCESS);
                message.transaction_id = stun::agent::TransactionId(black_box(ID));
                message.write_header();
                let (ip, port) = (black_box(address()).ip(), address().port());
                stun::xoraddr::XorMappedAddress { ip, port }.add_to(&mut message).unwrap();
                integrity.add_to(&mut message).unwrap();
                stun::fingerprint::FINGERPRINT.add_to(&mut message).unwrap();
                black_box(message.raw.len())
            });
        });
        let (encoder, key) = (stun_rs::MessageEncoderBuilder::default().build(), rs_key());
        let mut buf = [0; 256];
        group.bench_function("stun-rs", |b| {
            b.iter(|| {
                let message =
                    stun_rs::StunMessageBuilder::new(stun_rs::methods::BINDING, stun_rs::MessageClass::SuccessResponse)
                        .with_transaction_id(stun_rs::TransactionId::from(black_box(ID)))
                        .with_attribute(rs::XorMappedAddress::from(black_box(address())))
                        .with_attribute(rs::MessageIntegrity::new(key.clone()))
                        .with_attribute(rs::Fingerprint::default())
                        .build();
                black_box(encoder.encode(&mut buf, &message).unwrap())
            });
        });
    }
}
