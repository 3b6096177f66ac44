//! Sans-IO SCTP for WebRTC: associations, streams, and DCEP data channels.
