//! DTLS alone, in memory, both ends: records against the bare cipher, and handshakes. With `--features dtls-peers` the
//! crates `dimpl` and `webrtc-dtls` do the same in the same run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod bare;
#[cfg(feature = "dtls-peers")]
mod dimpl;
mod own;
#[cfg(feature = "dtls-peers")]
mod webrtc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weft_dtls::{CipherSuite, NamedGroup, ProtocolVersion};

/// What WebRTC sends in a datagram.
const RECORD: [u8; 1200] = [0x5A; 1200];

/// Sealing 1200 bytes and opening them again. Each copies the bytes into its buffer first.
fn records(c: &mut Criterion) {
    let mut group = c.benchmark_group("dtls/record");
    group.throughput(Throughput::Bytes(RECORD.len() as u64));
    for (name, bare, v13, v12) in [
        (
            "AES-128-GCM",
            &aws_lc_rs::aead::AES_128_GCM,
            CipherSuite::AES_128_GCM_SHA256,
            CipherSuite::ECDHE_ECDSA_AES_128_GCM_SHA256,
        ),
        (
            "AES-256-GCM",
            &aws_lc_rs::aead::AES_256_GCM,
            CipherSuite::AES_256_GCM_SHA384,
            CipherSuite::ECDHE_ECDSA_AES_256_GCM_SHA384,
        ),
        (
            "ChaCha20-Poly1305",
            &aws_lc_rs::aead::CHACHA20_POLY1305,
            CipherSuite::CHACHA20_POLY1305_SHA256,
            CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
        ),
    ] {
        let mut cipher = bare::Bare::new(bare);
        group.bench_function(format!("{name}/bare cipher"), |b| b.iter(|| cipher.seal_and_open(&RECORD)));
        for (version, suite) in [(ProtocolVersion::DTLS_1_3, v13), (ProtocolVersion::DTLS_1_2, v12)] {
            let mut pair = own::Pair::connected(version, suite, NamedGroup::X25519);
            let name = format!("{name}/weft {}", version.name().unwrap_or_default());
            group.bench_function(name, |b| b.iter(|| pair.seal_and_open(&RECORD)));
        }
        #[cfg(feature = "dtls-peers")]
        for version in [ProtocolVersion::DTLS_1_3, ProtocolVersion::DTLS_1_2] {
            let mut pair = dimpl::Pair::connected(version, v13);
            let name = format!("{name}/dimpl {}", version.name().unwrap_or_default());
            group.bench_function(name, |b| b.iter(|| assert_eq!(pair.seal_and_open(&RECORD), RECORD.len())));
        }
    }
    #[cfg(feature = "dtls-peers")]
    {
        let pair = webrtc::Pair::connected();
        let name = "AES-128-GCM/webrtc-dtls 1.2";
        group.bench_function(name, |b| b.iter(|| assert_eq!(pair.seal_and_open(&RECORD), RECORD.len())));
    }
    group.finish();
}

/// A whole handshake, both sides, certificates of both verified by fingerprint, keys for them made before.
fn handshakes(c: &mut Criterion) {
    let mut group = c.benchmark_group("dtls/handshake");
    for (version, suite, name) in [
        (ProtocolVersion::DTLS_1_3, CipherSuite::AES_128_GCM_SHA256, NamedGroup::X25519),
        (ProtocolVersion::DTLS_1_3, CipherSuite::AES_128_GCM_SHA256, NamedGroup::X25519MLKEM768),
        (ProtocolVersion::DTLS_1_2, CipherSuite::ECDHE_ECDSA_AES_128_GCM_SHA256, NamedGroup::X25519),
    ] {
        let ends = own::Ends::new(version, suite, name);
        let name = format!("{}/weft {}", name.name().unwrap_or_default(), version.name().unwrap_or_default());
        group.bench_function(name, |b| b.iter(|| ends.connect()));
    }
    #[cfg(feature = "dtls-peers")]
    {
        for version in [ProtocolVersion::DTLS_1_3, ProtocolVersion::DTLS_1_2] {
            let ends = dimpl::Ends::new(version, CipherSuite::AES_128_GCM_SHA256);
            let name = format!("X25519/dimpl {}", version.name().unwrap_or_default());
            group.bench_function(name, |b| b.iter(|| ends.connect()));
        }
        let ends = webrtc::Ends::new();
        group.bench_function("X25519/webrtc-dtls 1.2", |b| b.iter(|| ends.connect()));
    }
    group.finish();
}

criterion_group!(benches, records, handshakes);
criterion_main!(benches);
