//! Every stack with every other, in containers, in both seats.

pub mod capture;
pub mod cases;
pub mod known;
pub mod lane;
pub mod plan;
pub mod play;
pub mod report;
pub mod table;
