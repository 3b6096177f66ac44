//! Sends a file over a data channel and shows how far it is: `cargo run -p weft-rtc --example file_transfer -- FILE`.
//!
//! Without an argument it makes up 8 MiB. Sender and receiver run in this program; signalling is a function call.

use std::error::Error;

use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use weft_rtc::{Config, DataChannel, DataChannelInit, PeerConnection};

/// Bytes of a message. Every peer takes 16 KiB; larger ones are a little faster where the peer takes them.
const PIECE: usize = 64 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut source, size): (Box<dyn AsyncRead + Unpin + Send>, u64) = match std::env::args().nth(1) {
        Some(path) => {
            let file = File::open(path).await?;
            let size = file.metadata().await?.len();
            (Box::new(file), size)
        }
        None => (Box::new(tokio::io::repeat(7).take(8 << 20)), 8 << 20),
    };

    let config = Config::default().with_loopback(true);
    let (sender, receiver) = (PeerConnection::new(config.clone())?, PeerConnection::new(config)?);
    let file = sender.create_data_channel(DataChannelInit::new("file"))?;
    let answer = receiver.answer(&sender.offer().await?).await?;
    sender.set_remote_description(&answer)?;
    let incoming = receiver.accept().await.ok_or("the connection closed")?;
    let receiving = tokio::spawn(receive(incoming, size));

    loop {
        let mut piece = Vec::with_capacity(PIECE);
        if source.read_buf(&mut piece).await? == 0 {
            break;
        }
        // This waits while the send buffer is full: a slow network slows the reading of the file.
        file.send(piece).await?;
    }
    // Returns when the other side has acknowledged everything.
    file.finish().await?;
    let received = receiving.await??;
    println!("received {received} of {size} bytes");
    if received == size { Ok(()) } else { Err("the file is not whole".into()) }
}

/// Takes in what comes until the channel closes.
async fn receive(channel: DataChannel, size: u64) -> Result<u64, std::io::Error> {
    let mut target = tokio::io::sink();
    let (mut received, mut shown) = (0, 0);
    while let Some(message) = channel.recv().await {
        target.write_all(&message.data).await?;
        received += message.data.len() as u64;
        let percent = received * 100 / size.max(1);
        if percent >= shown + 20 {
            println!("{percent} %");
            shown = percent;
        }
    }
    Ok(received)
}
