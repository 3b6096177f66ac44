//! A chat between two machines, with a TCP connection to introduce them to each other:
//!
//! ```text
//! cargo run -p weft-rtc --example chat -- listen 192.0.2.1:7000
//! cargo run -p weft-rtc --example chat -- connect 192.0.2.1:7000
//! ```
//!
//! Without arguments both sides run in this program and say a few words.

use std::error::Error;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use weft_rtc::{Config, DataChannel, DataChannelInit, Description, PeerConnection};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["listen", address] => {
            let (stream, _) = TcpListener::bind(address).await?.accept().await?;
            talk(listen(stream, Config::default()).await?).await
        }
        ["connect", address] => talk(connect(TcpStream::connect(address).await?, Config::default()).await?).await,
        [] => rehearse().await,
        _ => Err("usage: chat [listen ADDRESS:PORT | connect ADDRESS:PORT]".into()),
    }
}

/// A description over TCP: its length, then its text.
async fn write(stream: &mut TcpStream, description: &Description) -> Result<()> {
    stream.write_u32(u32::try_from(description.sdp.len())?).await?;
    Ok(stream.write_all(description.sdp.as_bytes()).await?)
}

async fn read(stream: &mut TcpStream) -> Result<String> {
    let len = stream.read_u32().await?.min(1 << 20);
    let mut text = vec![0; usize::try_from(len)?];
    stream.read_exact(&mut text).await?;
    Ok(String::from_utf8(text)?)
}

/// The side that connects makes the offer and the channel.
async fn connect(mut stream: TcpStream, config: Config) -> Result<DataChannel> {
    let peer = PeerConnection::new(config)?;
    let channel = peer.create_data_channel(DataChannelInit::new("chat"))?;
    write(&mut stream, &peer.offer().await?).await?;
    peer.set_remote_description(&Description::answer(read(&mut stream).await?))?;
    channel.opened().await?;
    Ok(channel)
}

/// The side that listens answers.
async fn listen(mut stream: TcpStream, config: Config) -> Result<DataChannel> {
    let peer = PeerConnection::new(config)?;
    let offer = Description::offer(read(&mut stream).await?);
    write(&mut stream, &peer.answer(&offer).await?).await?;
    Ok(peer.accept().await.ok_or("the other side left")?)
}

/// Lines of the keyboard go out, messages come in, until either ends.
async fn talk(channel: DataChannel) -> Result<()> {
    println!("connected; write away");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => channel.send_text(line).await?,
                None => return Ok(channel.finish().await?),
            },
            message = channel.recv() => match message {
                Some(message) => println!("> {}", message.as_text().unwrap_or("(bytes)")),
                None => return Ok(()),
            },
        }
    }
}

/// Both sides in one program.
async fn rehearse() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let config = Config::default().with_loopback(true);
    let theirs = config.clone();
    let other = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let channel = listen(stream, theirs).await?;
        while let Some(message) = channel.recv().await {
            let text = message.as_text().unwrap_or_default();
            println!("the other side hears: {text}");
            channel.send_text(format!("{text}, you say?")).await?;
        }
        Result::Ok(())
    });
    let channel = connect(TcpStream::connect(address).await?, config).await?;
    for words in ["good evening", "it rains"] {
        channel.send_text(words).await?;
        let reply = channel.recv().await.ok_or("the other side left")?;
        println!("the answer: {}", reply.as_text().unwrap_or_default());
    }
    channel.finish().await?;
    other.await?
}
