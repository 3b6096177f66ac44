use std::net::UdpSocket;

use weft_interop::matrix::capture::Capture;

/// A play may be over within a blink: what went over the bridge in it is in its capture all the same.
#[tokio::test]
async fn a_capture_holds_what_was_sent_just_before_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let Some(capture) = Capture::start("lo", &folder.path().join("lo.pcap")).await else {
        assert!(std::env::var_os("CI").is_none(), "tcpdump is missing, or may not");
        return;
    };
    let (from, to) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let payload = b"the last words of this play";
    from.send_to(payload, to.local_addr().unwrap()).unwrap();
    let bytes = capture.finish(true).await.unwrap();
    assert!(bytes.windows(payload.len()).any(|window| window == payload), "not among {} bytes", bytes.len());
}
