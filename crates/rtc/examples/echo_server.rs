//! A server that sends back what it receives, to any number of clients on one UDP port:
//!
//! ```text
//! cargo run -p weft-rtc --example echo_server -- 0.0.0.0:7000
//! ```
//!
//! Clients send their offer over TCP, as `chat` does. Without an argument ten clients in this program try it.

use std::error::Error;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weft_rtc::{Config, DataChannelInit, Description, Endpoint, PeerConnection};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1);
    let config = Config::default().with_loopback(address.is_none());
    // One endpoint, one set of sockets, however many come.
    let endpoint = Endpoint::bind(&config)?;
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let signalling = listener.local_addr()?;
    println!("serving on {:?}, offers to {signalling}", endpoint.local_addrs());
    let server = tokio::spawn(accept(listener, endpoint));
    if address.is_some() {
        return server.await?;
    }
    let clients: Vec<_> = (0..10).map(|n| tokio::spawn(client(signalling, n))).collect();
    for client in clients {
        client.await??;
    }
    Ok(())
}

async fn accept(listener: TcpListener, endpoint: Endpoint) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let peer = endpoint.peer_connection(Config::default())?;
        tokio::spawn(async move {
            if let Err(error) = serve(stream, peer).await {
                eprintln!("a client: {error}");
            }
        });
    }
}

/// One client: answers its offer, then echoes on every channel it opens.
async fn serve(mut stream: TcpStream, peer: PeerConnection) -> Result<()> {
    let offer = Description::offer(read(&mut stream).await?);
    write(&mut stream, &peer.answer(&offer).await?.sdp).await?;
    while let Some(channel) = peer.accept().await {
        tokio::spawn(async move {
            while let Some(message) = channel.recv().await {
                // Waits while the client does not read: nothing piles up here.
                if channel.send(message.data).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}

async fn client(signalling: std::net::SocketAddr, n: u32) -> Result<()> {
    let peer = PeerConnection::new(Config::default().with_loopback(true))?;
    let channel = peer.create_data_channel(DataChannelInit::new("echo"))?;
    let mut stream = TcpStream::connect(signalling).await?;
    write(&mut stream, &peer.offer().await?.sdp).await?;
    peer.set_remote_description(&Description::answer(read(&mut stream).await?))?;
    let message = format!("client {n}");
    channel.send(message.clone()).await?;
    let echo = channel.recv().await.ok_or("the server left")?;
    println!("{} came back", String::from_utf8_lossy(&echo.data));
    if echo.data == message { Ok(()) } else { Err("the echo is wrong".into()) }
}

/// A description over TCP: its length, then its text.
async fn write(stream: &mut TcpStream, text: &str) -> Result<()> {
    stream.write_u32(u32::try_from(text.len())?).await?;
    Ok(stream.write_all(text.as_bytes()).await?)
}

async fn read(stream: &mut TcpStream) -> Result<String> {
    let mut text = vec![0; usize::try_from(stream.read_u32().await?.min(1 << 20))?];
    stream.read_exact(&mut text).await?;
    Ok(String::from_utf8(text)?)
}
