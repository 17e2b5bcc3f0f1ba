//! Texts from outside, made safe to show: which characters are shown at all, and how they are written as Markdown.

mod characters;
mod length;
pub mod markdown;

pub(crate) use characters::{clip, clip_bytes};
pub(crate) use length::{MOST_OF_POST, fitting};

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
