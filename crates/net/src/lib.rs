//! Sockets for Weft: UDP with segmentation offload, interface listing, the clock.
