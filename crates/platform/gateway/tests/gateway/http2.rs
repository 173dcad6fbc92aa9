//! HTTP/2 as RFC 9113 has it, frame by frame: what breaks its rules ends a stream or the connection as the rules say, and
//! reaches no tool.

mod downgrade;
mod fields;
mod floods;
mod frames;
mod peer;
mod slow;
