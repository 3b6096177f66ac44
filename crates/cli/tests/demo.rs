//! `weft demo`.

use serde_json::Value;

use crate::process::weft;

#[test]
fn four_mebibytes_each_way_arrive_as_they_were_sent() {
    let output = weft().args(["demo", "--bytes", "4194304", "--json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["bytes"], 4_194_304);
    assert_eq!(report["hash_match"], true);
    let setup = ["ice", "dtls", "sctp", "channel_open"].map(|step| report["setup_ms"][step].as_f64().unwrap());
    assert!(setup.is_sorted() && setup[0] > 0.0, "{setup:?}");
    assert!(report["mib_per_s"].as_f64().unwrap() > 0.0);
    if cfg!(unix) {
        assert!(report["cpu_s_per_gib"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(report["dtls_version"], "1.3");
    for field in ["dtls_cipher", "kx_group"] {
        assert!(!report[field].as_str().unwrap().is_empty(), "{field}");
    }
    for end in ["local", "remote"] {
        assert!(report["selected_pair"][end].as_str().unwrap().contains("udp"), "{report}");
    }
}

#[test]
fn the_report_for_people_names_every_step() {
    let output = weft().args(["demo", "--bytes", "300KiB", "--message-size", "1000"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for part in
        ["first candidate", "pair selected", "DTLS connected", "SCTP", "channel open", "A to B", "B to A", "equal"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(output.stderr.is_empty(), "no progress bar without a terminal");
}

#[test]
fn nonsense_is_refused() {
    for args in [["--bytes", "0"], ["--message-size", "0"], ["--message-size", "17MiB"], ["--bytes", "much"]] {
        let output = weft().arg("demo").args(args).output().unwrap();
        assert!(!output.status.success(), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn the_dtls_version_can_be_chosen() {
    for (version, cipher) in [("1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"), ("1.3", "TLS_AES_128_GCM_SHA256")] {
        let output = weft().args(["demo", "--bytes", "65536", "--dtls", version, "--json"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((report["dtls_version"].as_str(), report["dtls_cipher"].as_str()), (Some(version), Some(cipher)));
        let group = if version == "1.3" { "X25519MLKEM768" } else { "X25519" };
        assert_eq!(report["kx_group"], group);
    }
}
