//! A congestion window that has opened.

use std::time::Duration;

use tokio::time::timeout;
use weft_rtc::{DataChannel, PeerConnection};

const PATIENCE: Duration = Duration::from_secs(60);

/// Sends from `here`, a channel of `a`'s, to `there`, until more than `least` bytes may be under way, or for as long as that
/// should take.
pub(crate) async fn open_window(a: &PeerConnection, here: &DataChannel, there: &DataChannel, least: usize) {
    for _ in 0..100 {
        let send = async {
            for _ in 0..20 {
                here.send(vec![1; 50_000]).await.unwrap();
            }
        };
        let read = async {
            for _ in 0..20 {
                timeout(PATIENCE, there.recv()).await.unwrap().unwrap();
            }
        };
        tokio::join!(send, read);
        if a.stats().sctp.cwnd > least {
            break;
        }
    }
}
