//! SDP and JSEP offer/answer for WebRTC data channels.
