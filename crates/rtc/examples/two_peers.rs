//! Two peers in one program exchange a message each way: `cargo run -p weft-rtc --example two_peers`.

use weft_rtc::{Config, DataChannelInit, PeerConnection};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Both run on this machine, so they may use its loopback interface. Leave that out for peers on the internet.
    let config = Config::default().with_loopback(true);
    let alice = PeerConnection::new(config.clone())?;
    let bob = PeerConnection::new(config)?;

    let chat = alice.create_data_channel(DataChannelInit::new("chat"))?;

    // In real life these two descriptions travel over your signalling: a web server, a chat, a QR code.
    let offer = alice.offer().await?;
    let answer = bob.answer(&offer).await?;
    alice.set_remote_description(&answer)?;

    chat.send_text("hello, Bob").await?;
    let at_bobs = bob.accept().await.ok_or("the connection closed")?;
    let message = at_bobs.recv().await.ok_or("the channel closed")?;
    println!("Bob received {:?} on {:?}", message.as_text(), at_bobs.label());

    at_bobs.send_text("hello, Alice").await?;
    let message = chat.recv().await.ok_or("the channel closed")?;
    println!("Alice received {:?}", message.as_text());

    // Closing loses nothing this way; dropping the handles would be enough otherwise.
    alice.finish().await?;
    Ok(())
}
