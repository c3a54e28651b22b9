//! What happens when connections, replies and servers fail.

mod faults;
mod hooks;
mod lost_replies;
mod scale;
mod unpolled;
