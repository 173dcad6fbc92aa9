use proptest::prelude::*;

use super::*;

fn number() -> impl Strategy<Value = u32> {
    any::<u32>().prop_map(|number| number & NUMBER)
}

fn block() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        (number(), any::<bool>(), any::<bool>(), block()).prop_map(|(id, fin, unidirectional, block)| {
            Frame::SynStream {
                id,
                fin,
                unidirectional,
                block,
            }
        }),
        (number(), any::<bool>(), block()).prop_map(|(id, fin, block)| Frame::SynReply { id, fin, block }),
        (number(), any::<u32>()).prop_map(|(id, reason)| Frame::Reset { id, reason }),
        prop::collection::vec((0..1u32 << 24, any::<u32>()), 0..5).prop_map(Frame::Settings),
        any::<u32>().prop_map(Frame::Ping),
        (number(), any::<u32>()).prop_map(|(last, reason)| Frame::GoAway { last, reason }),
        (number(), any::<bool>(), block()).prop_map(|(id, fin, block)| Frame::Headers { id, fin, block }),
        (number(), number()).prop_map(|(id, bytes)| Frame::WindowUpdate { id, bytes }),
        (number(), any::<bool>(), block()).prop_map(|(id, fin, bytes)| Frame::Data { id, fin, bytes }),
    ]
}

/// Reads frames out of bytes that come in pieces, and puts the pieces of data frames together again.
fn read(pieces: &[&[u8]]) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = FrameDecoder::default();
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(frame) = decoder.decode(&mut buffer)? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

/// Runs of one stream's data: its number, its bytes, and whether it ended with them.
type Runs = Vec<(u32, Vec<u8>, bool)>;

/// The bytes and the ends of each stream, which do not depend on how data was cut.
fn essence(frames: &[Frame]) -> (Vec<Frame>, Runs) {
    let (mut rest, mut data): (Vec<Frame>, Runs) = (Vec::new(), Vec::new());
    for frame in frames {
        match frame {
            Frame::Data { id, fin, bytes } => match data.last_mut() {
                Some((last, kept, false)) if last == id => {
                    kept.extend_from_slice(bytes);
                    data.last_mut().expect("there").2 = *fin;
                }
                _ => data.push((*id, bytes.to_vec(), *fin)),
            },
            other => rest.push(other.clone()),
        }
    }
    (rest, data)
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_however_it_arrives(
        frames in prop::collection::vec(frame(), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = BytesMut::new();
        for frame in &frames {
            frame.encode(&mut bytes);
        }
        let (one, two) = bytes.split_at(cut.index(bytes.len()));
        let found = read(&[one, two]).expect("our own frames");
        prop_assert_eq!(essence(&found), essence(&frames));
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read(&[&bytes]);
    }

    #[test]
    fn no_control_frame_does_harm(kind in 0u16..12, flags in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut bytes = BytesMut::new();
        head(&mut bytes, kind, flags, body.len());
        bytes.put_slice(&body);
        let _ = read(&[&bytes]);
    }
}

#[test]
fn a_long_data_frame_comes_in_pieces_and_ends_once() {
    let mut bytes = BytesMut::new();
    Frame::Data {
        id: 1,
        fin: true,
        bytes: Bytes::from(vec![5; 100_000]),
    }
    .encode(&mut bytes);
    let frames = read(&[&bytes]).expect("a frame");
    let ends: Vec<(usize, bool)> = frames
        .iter()
        .map(|frame| match frame {
            Frame::Data { fin, bytes, .. } => (bytes.len(), *fin),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        ends,
        [(32768, false), (32768, false), (32768, false), (1696, true)]
    );
}

#[test]
fn what_is_too_long_or_of_another_version_is_refused() {
    let mut long = BytesMut::new();
    head(&mut long, HEADERS, 0, CONTROL_BYTES + 1);
    assert!(matches!(read(&[&long]), Err(FrameError::TooLong(_))));
    assert!(matches!(
        read(&[&[0x80, 2, 0, 1, 0, 0, 0, 0]]),
        Err(FrameError::Version(2))
    ));
    let mut short = BytesMut::new();
    head(&mut short, SYN_STREAM, 0, 3);
    short.put_slice(&[0; 3]);
    assert!(matches!(read(&[&short]), Err(FrameError::Short(SYN_STREAM))));
}
