//! WebRTC peer connections with data channels: sans-IO, and async on tokio.
