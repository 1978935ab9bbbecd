//! Each mode as one function over the whole input, in both directions.

use strongroom_cipher::cbc::{CbcDecrypt, CbcEncrypt, Ending};
use strongroom_cipher::ctr::Ctr;
use strongroom_cipher::gcm::{GcmDecrypt, GcmEncrypt, TAG_BYTES};
use strongroom_cipher::{CipherError, Iv};

/// What a caller can ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    CbcPadded,
    CbcTail,
    Ctr,
    Gcm,
}

pub(crate) const MODES: [Mode; 4] = [Mode::CbcPadded, Mode::CbcTail, Mode::Ctr, Mode::Gcm];

/// Encrypts `plain`, cut into the given pieces.
pub(crate) fn encrypt(mode: Mode, key: &[u8], iv: &Iv, pieces: &[&[u8]]) -> Result<Vec<u8>, CipherError> {
    let mut out = Output::default();
    match mode {
        Mode::CbcPadded | Mode::CbcTail => {
            let mut context = CbcEncrypt::new(key, iv, ending(mode))?;
            for piece in pieces {
                let room = context.update_len(piece.len());
                out.write(room, |dst| context.update(piece, dst))?;
            }
            let room = context.finish_len();
            out.write(room, |dst| context.finish(dst))?;
        }
        Mode::Ctr => ctr(key, iv, pieces, &mut out)?,
        Mode::Gcm => {
            let mut context = GcmEncrypt::new(key, iv)?;
            for piece in pieces {
                out.write(piece.len(), |dst| context.update(piece, dst))?;
            }
            out.write(TAG_BYTES, |dst| context.finish(dst))?;
        }
    }
    Ok(out.0)
}

/// Decrypts what [`encrypt`] made, cut into the given pieces.
pub(crate) fn decrypt(mode: Mode, key: &[u8], iv: &Iv, pieces: &[&[u8]]) -> Result<Vec<u8>, CipherError> {
    let mut out = Output::default();
    match mode {
        Mode::CbcPadded | Mode::CbcTail => {
            let mut context = CbcDecrypt::new(key, iv, ending(mode))?;
            for piece in pieces {
                let room = context.update_len(piece.len());
                out.write(room, |dst| context.update(piece, dst))?;
            }
            let room = context.finish_len();
            out.write(room, |dst| context.finish(dst))?;
        }
        Mode::Ctr => ctr(key, iv, pieces, &mut out)?,
        Mode::Gcm => {
            let mut context = GcmDecrypt::new(key, iv)?;
            for piece in pieces {
                let room = context.update_len(piece.len());
                out.write(room, |dst| context.update(piece, dst))?;
            }
            context.finish()?;
        }
    }
    Ok(out.0)
}

fn ending(mode: Mode) -> Ending {
    if matches!(mode, Mode::CbcTail) { Ending::Tail } else { Ending::Padded }
}

fn ctr(key: &[u8], iv: &Iv, pieces: &[&[u8]], out: &mut Output) -> Result<(), CipherError> {
    let mut context = Ctr::new(key, iv)?;
    for piece in pieces {
        out.write(piece.len(), |dst| context.update(piece, dst))?;
    }
    Ok(())
}

/// Output that gives each call exactly the room it asked for, so that a write past it cannot go unseen.
#[derive(Default)]
struct Output(Vec<u8>);

impl Output {
    fn write(
        &mut self,
        room: usize,
        call: impl FnOnce(&mut [u8]) -> Result<usize, CipherError>,
    ) -> Result<(), CipherError> {
        let start = self.0.len();
        self.0.resize(start + room, 0xA5);
        let written = call(&mut self.0[start..])?;
        self.0.truncate(start + written);
        Ok(())
    }
}
