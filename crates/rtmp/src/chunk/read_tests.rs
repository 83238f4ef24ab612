use super::*;

const ROOMY: Limits = Limits { message: 1 << 20, partial_total: 4 << 20 };

fn read_all(reader: &mut Reader, mut input: &[u8]) -> Result<Vec<Packet>, Error> {
    let mut packets = Vec::new();
    while let Some(packet) = reader.read(&mut input)? {
        packets.push(packet);
    }
    assert!(input.is_empty());
    Ok(packets)
}

/// The packets of `wire`, after checking that they do not depend on how the bytes are cut.
fn read_any_way(wire: &[u8]) -> Result<Vec<Packet>, Error> {
    let whole = read_all(&mut Reader::new(ROOMY), wire);
    for size in 1..=7 {
        let mut reader = Reader::new(ROOMY);
        let mut packets = Vec::new();
        let mut result = Ok(());
        for piece in wire.chunks(size) {
            match read_all(&mut reader, piece) {
                Ok(more) => packets.extend(more),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        match (&whole, result) {
            (Ok(expected), Ok(())) => assert_eq!(&packets, expected, "in pieces of {size}"),
            (Err(expected), Err(error)) => assert_eq!(&error, expected, "in pieces of {size}"),
            (whole, pieces) => panic!("whole: {whole:?}, in pieces of {size}: {pieces:?}"),
        }
    }
    whole
}

fn header0(chunk_stream: u8, timestamp: u32, length: u32, message_type: u8) -> Vec<u8> {
    let mut header = vec![chunk_stream];
    header.extend_from_slice(&timestamp.min(EXTENDED).to_be_bytes()[1..]);
    header.extend_from_slice(&length.to_be_bytes()[1..]);
    header.extend_from_slice(&[message_type, 1, 0, 0, 0]);
    if timestamp >= EXTENDED {
        header.extend_from_slice(&timestamp.to_be_bytes());
    }
    header
}

fn timestamps(packets: &[Packet]) -> Vec<u32> {
    packets.iter().map(|packet| packet.timestamp).collect()
}

#[test]
fn the_four_header_types_inherit_as_the_specification_says() {
    let wire = [
        &header0(3, 1000, 2, 8)[..],
        b"aa",
        &[0x43, 0, 0, 20, 0, 0, 3, 9],
        b"bbb",
        &[0x83, 0, 0, 30],
        b"ccc",
        &[0xc3],
        b"ddd",
    ]
    .concat();
    let packets = read_any_way(&wire).unwrap();
    assert_eq!(timestamps(&packets), [1000, 1020, 1050, 1080]);
    assert_eq!(packets.iter().map(|p| p.message_type).collect::<Vec<_>>(), [8, 9, 9, 9]);
    assert!(packets.iter().all(|p| p.stream_id == 1));
    assert_eq!(packets[3].payload[..], b"ddd"[..]);
}

#[test]
fn a_type_3_message_after_type_0_uses_its_timestamp_as_delta() {
    let wire = [&header0(3, 7, 1, 8)[..], b"a", &[0xc3], b"b"].concat();
    assert_eq!(timestamps(&read_any_way(&wire).unwrap()), [7, 14]);
}

#[test]
fn basic_headers_of_one_two_and_three_bytes() {
    let tail = [0, 0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 42];
    for basic in [&[63u8][..], &[0, 255], &[1, 255, 255], &[1, 0, 0]] {
        let wire = [basic, &tail].concat();
        assert_eq!(read_any_way(&wire).unwrap()[0].payload[..], [42]);
    }
    assert_eq!(parse_basic_header(&[0xc0, 0]), Some((64, 3, 2)));
    assert_eq!(parse_basic_header(&[0x41, 1, 2]), Some((64 + 1 + 512, 1, 3)));
}

#[test]
fn audio_chunks_inside_a_video_message_do_not_mix() {
    let video: Vec<u8> = (0..=255).collect();
    let wire = [
        &header0(6, 40, 256, 9)[..],
        &video[..128],
        &header0(4, 41, 3, 8),
        b"abc",
        &[0xc6],
        &video[128..],
        &[0x44, 0, 0, 1, 0, 0, 1, 8],
        b"d",
    ]
    .concat();
    let packets = read_any_way(&wire).unwrap();
    assert_eq!(packets.iter().map(|p| p.message_type).collect::<Vec<_>>(), [8, 9, 8]);
    assert_eq!(packets[0].payload[..], b"abc"[..]);
    assert_eq!(packets[1].payload[..], video[..]);
    assert_eq!(timestamps(&packets), [41, 40, 42]);
}

#[test]
fn the_chunk_size_may_change_in_the_middle_of_a_message() {
    let video = [5; 300];
    let wire = [
        &header0(6, 0, 300, 9)[..],
        &video[..128],
        &[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 100],
        &[0xc6],
        &video[..100],
        &[0xc6],
        &video[..72],
    ]
    .concat();
    assert_eq!(read_any_way(&wire).unwrap()[0].payload[..], video);
}

#[test]
fn extended_timestamps_are_read_whether_type_3_chunks_repeat_them_or_not() {
    let start = 0x0123_4567u32;
    for repeated in [&start.to_be_bytes()[..], &[]] {
        let wire = [
            &header0(6, start, 260, 9)[..],
            &[7; 128],
            &[0xc6],
            repeated,
            &[7; 128],
            &[0xc6],
            repeated,
            &[7; 4],
            &[0x46, 0, 0, 40, 0, 0, 1, 9, 8],
        ]
        .concat();
        let packets = read_any_way(&wire).unwrap();
        assert_eq!(timestamps(&packets), [start, start + 40]);
        assert_eq!(packets[0].payload[..], [7; 260]);
    }
}

#[test]
fn payload_that_begins_like_the_extended_timestamp_is_kept() {
    let wire =
        [&header0(6, 0x0123_4567, 131, 9)[..], &[7; 128], &[0xc6, 1, 0x23, 0x40], &[0xc6, 9, 9]].concat();
    let mut reader = Reader::new(ROOMY);
    let packets = read_all(&mut reader, &wire[..wire.len() - 3]).unwrap();
    assert_eq!(packets[0].payload[128..], [1, 0x23, 0x40]);
    assert!(read_any_way(&wire[..wire.len() - 3]).is_ok());
}

#[test]
fn an_extended_delta_wraps_around_the_clock() {
    let wire = [
        &header0(6, 0xffff_fff0, 1, 9)[..],
        &[1],
        &[0x46, 0, 0, 0x20, 0, 0, 1, 9, 2],
        &[0x86, 0xff, 0xff, 0xff, 1, 0, 0, 0, 3],
        &[0xc6, 1, 0, 0, 0, 4],
    ]
    .concat();
    assert_eq!(timestamps(&read_any_way(&wire).unwrap()), [0xffff_fff0, 0x10, 0x0100_0010, 0x0200_0010]);
}

#[test]
fn messages_without_payload_are_messages() {
    let wire = [&header0(3, 1, 0, 17)[..], &header0(3, 2, 0, 20), &[0xc3], &header0(3, 9, 0, 18)].concat();
    let packets = read_any_way(&wire).unwrap();
    assert_eq!(timestamps(&packets), [1, 2, 4, 9]);
    assert!(packets.iter().all(|packet| packet.payload.is_empty()));
}

#[test]
fn abort_discards_the_partial_message() {
    let wire = [
        &header0(6, 0, 200, 9)[..],
        &[1; 128],
        &[2, 0, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0, 0, 0, 0, 6],
        &header0(6, 5, 2, 9),
        &[2; 2],
    ]
    .concat();
    let mut reader = Reader::new(ROOMY);
    let packets = read_all(&mut reader, &wire).unwrap();
    assert_eq!(packets.len(), 1);
    assert_eq!(packets[0].payload[..], [2, 2]);
    assert_eq!((reader.partial_count, reader.partial_total), (0, 0));
}

#[test]
fn a_new_header_inside_a_message_is_refused() {
    let wire = [&header0(6, 0, 200, 9)[..], &[1; 128], &header0(6, 0, 60_000, 9)].concat();
    assert_eq!(read_any_way(&wire), Err(Error::HeaderInsideMessage { offset: 152, chunk_stream: 6 }));
}

#[test]
fn a_first_header_of_type_1_is_accepted_and_of_type_2_or_3_refused() {
    let packets = read_any_way(&[0x42, 0, 0, 9, 0, 0, 1, 8, 7]).unwrap();
    assert_eq!((packets[0].timestamp, packets[0].stream_id), (9, 0));
    for first in [0x83, 0xc3] {
        assert!(matches!(read_any_way(&[first, 0, 0, 0, 0]), Err(Error::NoPreviousHeader { .. })));
    }
}

#[test]
fn chunk_sizes_outside_the_specification_are_refused_and_huge_ones_clamped() {
    let set = |size: u32| [&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0][..], &size.to_be_bytes()].concat();
    for size in [0, 0x8000_0000, u32::MAX] {
        assert!(matches!(read_any_way(&set(size)), Err(Error::ChunkSize { .. })));
    }
    let mut reader = Reader::new(ROOMY);
    read_all(&mut reader, &set(0x7fff_ffff)).unwrap();
    assert_eq!(reader.chunk_size(), MAX_MESSAGE_LENGTH);
    read_all(&mut reader, &set(1)).unwrap();
    assert_eq!(reader.chunk_size(), 1);
    assert!(matches!(
        read_any_way(&[2, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 1]),
        Err(Error::ShortControl { message_type: 1, .. })
    ));
}

#[test]
fn a_fifth_incomplete_message_is_refused() {
    let mut wire = Vec::new();
    for chunk_stream in 3..7 {
        wire.extend_from_slice(&header0(chunk_stream, 0, 129, 9));
        wire.extend_from_slice(&[0; 128]);
    }
    assert!(read_any_way(&wire).is_ok());
    wire.extend_from_slice(&header0(10, 0, 1, 9));
    wire.push(0);
    assert_eq!(read_any_way(&wire).unwrap().len(), 1);
    wire.extend_from_slice(&header0(11, 0, 129, 9));
    wire.extend_from_slice(&[0; 128]);
    assert!(matches!(read_any_way(&wire), Err(Error::TooManyPartialMessages { .. })));
}

#[test]
fn a_hundred_and_first_chunk_stream_is_refused() {
    let mut wire = Vec::new();
    for chunk_stream in 0..=u8::try_from(MAX_CHUNK_STREAMS).unwrap() {
        wire.extend_from_slice(&[0, chunk_stream, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0]);
    }
    assert!(read_any_way(&wire[..wire.len() - 13]).is_ok());
    assert!(matches!(read_any_way(&wire), Err(Error::TooManyChunkStreams { .. })));
}

#[test]
fn message_and_total_limits_hold() {
    let limits = Limits { message: 1000, partial_total: 1500 };
    let wire = header0(6, 0, 1001, 9);
    let error = read_all(&mut Reader::new(limits), &wire).unwrap_err();
    assert_eq!(error, Error::MessageTooLong { offset: 12, length: 1001, limit: 1000 });
    let wire = [&header0(6, 0, 1000, 9)[..], &[0; 128], &header0(7, 0, 1000, 9), &[0; 128]].concat();
    let error = read_all(&mut Reader::new(limits), &wire).unwrap_err();
    assert!(matches!(error, Error::PartialMessageMemory { limit: 1500, .. }));
}
