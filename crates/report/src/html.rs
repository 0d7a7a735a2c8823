//! One page for a browser: the machine, the proofs, the gaps. It needs nothing else: no script, no font, no request.

mod causes;
mod compare;
mod escape;
mod gaps;
mod histogram;
mod irqs;
mod machine;
mod marks;
mod page;
#[cfg(test)]
mod sample;
mod svg;
mod timeline;
mod verify;

pub use page::{Measured, Page, page};
