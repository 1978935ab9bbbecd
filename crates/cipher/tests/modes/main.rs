//! The modes against NIST's examples, against AWS-LC, and against themselves fed in other pieces.

mod aws_lc;
mod nist;
mod pieces;
mod whole;
