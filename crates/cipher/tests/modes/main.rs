//! The modes against NIST's examples, against AWS-LC, against themselves fed in other pieces, and every back end against
//! every other.

mod aws_lc;
mod nist;
mod pages;
mod pieces;
mod whole;
