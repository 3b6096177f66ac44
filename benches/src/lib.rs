//! What the benchmarks share: SCTP stacks behind one interface, the lossy link, and the clock of the processor.

pub mod link;
pub mod stacks;

use std::net::UdpSocket;

/// Raises the buffers of a socket that another stack is driven with as far as our own sockets raise theirs.
///
/// # Errors
/// If the system does not allow it; that it gives less is none.
pub fn raise_buffers(socket: &UdpSocket) -> std::io::Result<()> {
    use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
    let ours = weft_net::UdpConfig::default();
    set_socket_recv_buffer_size(socket, ours.recv_buffer)?;
    Ok(set_socket_send_buffer_size(socket, ours.send_buffer)?)
}

/// CPU time of this process, in seconds.
pub fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
