//! Two peers, connected.

use std::sync::Arc;

use weft_rtc::{Certificate, Config, DataChannel, DataChannelInit, PeerConnection};

use super::{Error, PATIENCE};
use crate::dtls::DtlsVersion;

/// Two connected peers with a reliable ordered channel between them.
pub(super) struct Pair {
    /// Makes the offer.
    pub(super) a: PeerConnection,
    /// Answers.
    pub(super) b: PeerConnection,
    /// `a`'s end of the channel.
    pub(super) a_channel: DataChannel,
    /// `b`'s end of it.
    pub(super) b_channel: DataChannel,
}

/// Connects two peers over loopback: everything between them goes through UDP sockets.
pub(super) async fn connect(message_size: u64, dtls: DtlsVersion) -> Result<Pair, Error> {
    let mut config = config(message_size)?;
    config.dtls_versions = dtls.versions();
    // Made beforehand, as a program that connects more than once would: what is timed is the connection.
    let (a_config, b_config) =
        (config.clone().with_certificate(certificate()?), config.with_certificate(certificate()?));
    let a = PeerConnection::new(a_config)?;
    let b = PeerConnection::new(b_config)?;
    let a_channel = a.create_data_channel(DataChannelInit::new("demo"))?;
    let offer = a.offer().await?;
    let answer = b.answer(&offer).await?;
    a.set_remote_description(&answer)?;
    a_channel.opened().await?;
    let b_channel = b.accept().await.ok_or(Error::ChannelClosed)?;
    Ok(Pair { a, b, a_channel, b_channel })
}

fn certificate() -> Result<Arc<Certificate>, Error> {
    Ok(Arc::new(Certificate::generate()?))
}

fn config(message_size: u64) -> Result<Config, Error> {
    let interfaces = weft_net::interfaces()?;
    let mut names: Vec<String> = interfaces.into_iter().filter(|i| i.is_loopback).map(|i| i.name).collect();
    names.dedup();
    let mut config = Config::default().with_loopback(true);
    config.interfaces = Some(names);
    let bytes = u32::try_from(message_size).map_err(|_| Error::MessageSize)?;
    config.max_message_size = config.max_message_size.max(bytes);
    config.send_buffer = config.send_buffer.max(2 * bytes as usize);
    config.receive_buffer = config.receive_buffer.max(4 * bytes as usize);
    Ok(config)
}

impl Pair {
    /// Closes the channel from one side, waits until the other knows, then closes both peers.
    pub(super) async fn end(self) -> Result<(), Error> {
        self.a_channel.close();
        tokio::time::timeout(PATIENCE, self.b_channel.closed())
            .await
            .map_err(|_| Error::TooSlow("the close of the channel"))?;
        self.a.close();
        self.b.close();
        Ok(())
    }
}
