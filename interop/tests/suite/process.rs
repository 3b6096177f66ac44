use std::path::Path;
use std::time::Duration;

use weft_interop::native::{Process, Server};
use weft_interop::peer::{Command, Peer, Transcript};

use crate::script::SOON;

/// Starts a shell script as a peer.
async fn shell(script: &str) -> (Process, Peer, Transcript) {
    let transcript = Transcript::new("sh");
    let (process, peer) = Process::peer(Path::new("/bin/sh"), &["-c", script], "sh", transcript.clone()).await.unwrap();
    (process, peer, transcript)
}

#[tokio::test]
async fn a_process_is_a_peer() {
    let script = r#"
        echo 'it starts' >&2
        echo '{"event":"ready"}'
        read close; echo '{"event":"done","id":1}'
        read quit; echo '{"event":"bye"}'"#;
    let (process, mut peer, transcript) = shell(script).await;
    peer.quit(SOON).await.unwrap();
    process.finish(SOON).await.unwrap();
    let text = transcript.text();
    for line in ["| it starts", r#"> {"do":"close","id":1}"#, r#"< {"event":"bye"}"#] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[tokio::test]
async fn a_process_must_end_well_and_in_time() {
    let (process, mut peer, _) = shell("echo '{\"event\":\"ready\"}'; exit 3").await;
    let failure = peer.ask(Command::new("close")).await.unwrap_err().to_string();
    assert!(failure.contains("ended") || failure.contains("gone"), "{failure}");
    let failure = process.finish(SOON).await.unwrap_err().to_string();
    assert!(failure.contains("exit status: 3"), "{failure}");
    let (process, _peer, _) = shell("echo '{\"event\":\"ready\"}'; exec sleep 60").await;
    let failure = process.finish(Duration::from_millis(20)).await.unwrap_err().to_string();
    assert!(failure.contains("still runs"), "{failure}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let missing = Path::new("/no/such/program");
    let failure = Process::peer(missing, &["peer"], "p", Transcript::new("p")).await.unwrap_err().to_string();
    assert!(failure.starts_with("/no/such/program does not start"), "{failure}");
}

#[tokio::test]
async fn udp_sockets_of_a_process_are_counted() {
    let id = std::process::id();
    // Absent where the system has no /proc.
    let Some(before) = weft_interop::native::udp_sockets(id).await else { return };
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    assert_eq!(weft_interop::native::udp_sockets(id).await, Some(before + 1));
    drop(socket);
    assert_eq!(weft_interop::native::udp_sockets(id).await, Some(before));
}

#[tokio::test]
async fn a_server_names_its_address_and_can_be_interrupted() {
    let transcript = Transcript::new("server");
    let arguments = ["-c", "echo 'Weft serves at http://127.0.0.1:1234/ now'; exec sleep 60"];
    let server = Server::start(Path::new("/bin/sh"), &arguments, transcript).await.unwrap();
    assert_eq!(server.address(), "http://127.0.0.1:1234/");
    server.interrupt(SOON).await.unwrap();
    let silent = Server::start(Path::new("/bin/sh"), &["-c", "exit 0"], Transcript::new("server")).await.unwrap_err();
    assert!(silent.to_string().contains("named no address"), "{silent}");
}
