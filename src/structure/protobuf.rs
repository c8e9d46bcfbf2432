/*!
Protocol Buffers messages, read where they stand: fields in their order, nothing built, so that a message costs what its
bytes do. Groups, which no protocol of ours has, are malformed.
*/

/// What a field holds, by its wire type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire<'a> {
    /// A number of variable length.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// A string, bytes or a message.
    Bytes(&'a [u8]),
    /// Four bytes.
    Fixed32(u32),
}

/// Largest number of a field.
const NUMBER_MAX: u32 = (1 << 29) - 1;

/// The message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no protocol buffer")]
pub struct Malformed;

/// The fields of a message, number and value, in their order. After an error there are none.
pub fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u32, Wire<'_>), Malformed>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(&mut rest).ok_or(Malformed);
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

/// The fields of that number that hold bytes.
pub fn all(message: &[u8], number: u32) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    fields(message).filter_map(move |field| match field {
        Ok((of, Wire::Bytes(bytes))) => (of == number).then_some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// The field of that number that holds bytes, empty if there is none. Of several the last.
pub fn one(message: &[u8], number: u32) -> Result<&[u8], Malformed> {
    all(message, number).try_fold(&[][..], |_, bytes| bytes)
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Wire<'a>)> {
    let tag = varint(rest)?;
    let number = u32::try_from(tag >> 3).ok().filter(|number| (1..=NUMBER_MAX).contains(number))?;
    let value = match tag & 7 {
        0 => Wire::Varint(varint(rest)?),
        1 => Wire::Fixed64(u64::from_le_bytes(rest.split_off(..8)?.try_into().ok()?)),
        2 => {
            let len = usize::try_from(varint(rest)?).ok()?;
            Wire::Bytes(rest.split_off(..len)?)
        }
        5 => Wire::Fixed32(u32::from_le_bytes(rest.split_off(..4)?.try_into().ok()?)),
        _ => return None,
    };
    Some((number, value))
}

/// Up to ten bytes of seven bits each, the low ones first.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in 0..10 {
        let byte = *rest.split_off_first()?;
        value |= u64::from(byte & 0x7f) << (7 * shift);
        if byte < 0x80 {
            // The tenth byte holds one bit.
            return (shift < 9 || byte < 2).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::Message as _;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Sample {
        #[prost(uint64, tag = "1")]
        number: u64,
        #[prost(bytes, tag = "2")]
        bytes: Vec<u8>,
        #[prost(fixed64, tag = "3")]
        long: u64,
        #[prost(fixed32, tag = "20")]
        short: u32,
        #[prost(bytes, repeated, tag = "21")]
        many: Vec<Vec<u8>>,
    }

    proptest! {
        #[test]
        fn reads_what_another_wrote(
            number: u64, bytes: Vec<u8>, long: u64, short: u32,
            many in prop::collection::vec(any::<Vec<u8>>(), 0..4),
        ) {
            let sample = Sample { number, bytes, long, short, many };
            let text = sample.encode_to_vec();
            let mut read = Sample::default();
            for field in fields(&text) {
                match field {
                    Ok((1, Wire::Varint(number))) => read.number = number,
                    Ok((2, Wire::Bytes(bytes))) => read.bytes = bytes.to_vec(),
                    Ok((3, Wire::Fixed64(long))) => read.long = long,
                    Ok((20, Wire::Fixed32(short))) => read.short = short,
                    Ok((21, Wire::Bytes(bytes))) => read.many.push(bytes.to_vec()),
                    _ => prop_assert!(false, "a field that nobody wrote"),
                }
            }
            prop_assert_eq!(one(&text, 2), Ok(&sample.bytes[..]));
            prop_assert_eq!(&read, &sample);
        }

        /// What another takes for a message of unknown fields, and nothing else, groups apart.
        #[test]
        fn takes_messages_alone(text in prop::collection::vec(any::<u8>(), 0..12)) {
            let ours = fields(&text).all(|field| field.is_ok());
            if ours {
                prop_assert!(<()>::decode(&text[..]).is_ok());
            }
        }
    }

    #[test]
    fn what_ends_early_is_malformed() {
        for text in
            [&[0x0a][..], &[0x0a, 2, 1], &[0x09, 1], &[0x0d, 1], &[0x80], &[0x00, 0x00], &[0x0b], &[0x0c]]
        {
            assert!(fields(text).any(|field| field.is_err()), "{text:x?}");
        }
        let long = [&[0x08][..], &[0xff; 9], &[2]].concat();
        assert!(fields(&long).any(|field| field.is_err()), "more than 64 bits");
    }
}
