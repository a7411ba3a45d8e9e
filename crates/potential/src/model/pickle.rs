//! A reader of pickles that executes nothing.
//!
//! It knows the opcodes that PyTorch's checkpoints of plain data need, and of all that a pickle can
//! call only the three names that make a tensor. Anything else is refused by name: there is no
//! opcode here that imports, builds or runs something.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// Most objects of a pickle.
const MOST_OBJECTS: usize = 1 << 20;

/// Number of an object in its [`Pickle`].
pub(super) type Id = usize;

/// An object of a pickle.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// Keys and values in the order in which they were set.
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage),
    Tensor(TensorView),
}

/// The names that a pickle may call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    FloatStorage,
}

/// An array of f32 that lies beside the pickle.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    pub(super) key: Arc<str>,
    pub(super) len: usize,
}

/// A contiguous part of a storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TensorView {
    pub(super) storage: Storage,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
}

/// The objects of a pickle; they name each other by number, so nothing here can recurse.
#[derive(Debug)]
pub(super) struct Pickle {
    objects: Vec<Object>,
    root: Id,
}

/// Why a pickle was refused.
#[derive(Debug, PartialEq)]
pub(super) struct Refused {
    /// Byte of the opcode.
    pub(super) at: usize,
    pub(super) reason: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused at byte {}: {}", self.at, self.reason)
    }
}

impl Pickle {
    /// Reads a pickle of protocol 2.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refused> {
        let mut machine = Machine {
            bytes,
            at: 0,
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: BTreeMap::new(),
        };
        loop {
            let at = machine.at;
            match machine.step() {
                Ok(None) => {}
                Ok(Some(root)) => {
                    return Ok(Self {
                        objects: machine.objects,
                        root,
                    });
                }
                Err(reason) => return Err(Refused { at, reason }),
            }
        }
    }

    /// The object that the pickle stands for.
    pub(super) fn root(&self) -> &Object {
        &self.objects[self.root]
    }

    /// The value of a text key in a dictionary.
    pub(super) fn get<'a>(&'a self, dict: &'a Object, key: &str) -> Option<&'a Object> {
        self.items(dict)
            .filter(|(name, _)| *name == key)
            .map(|(_, value)| value)
            .last()
    }

    /// Text keys of a dictionary with their values; nothing for anything else.
    pub(super) fn items<'a>(
        &'a self,
        dict: &'a Object,
    ) -> impl Iterator<Item = (&'a str, &'a Object)> {
        let pairs = match dict {
            Object::Dict(pairs) => pairs.as_slice(),
            _ => &[],
        };
        pairs
            .iter()
            .filter_map(|(key, value)| match &self.objects[*key] {
                Object::Text(key) => Some((key.as_str(), &self.objects[*value])),
                _ => None,
            })
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl Machine<'_> {
    /// Runs one opcode; the root at the end.
    fn step(&mut self) -> Result<Option<Id>, String> {
        let opcode = self.byte()?;
        match opcode {
            // PROTO
            0x80 => {
                let version = self.byte()?;
                if version != 2 {
                    return Err(format!("protocol {version}, expected 2"));
                }
            }
            b'}' => self.push(Object::Dict(Vec::new()))?,
            b']' => self.push(Object::List(Vec::new()))?,
            b')' => self.push(Object::Tuple(Vec::new()))?,
            b'N' => self.push(Object::None)?,
            0x88 => self.push(Object::Bool(true))?,
            0x89 => self.push(Object::Bool(false))?,
            // BININT, BININT1, BININT2
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Object::Int(i64::from(value)))?;
            }
            b'K' => {
                let value = self.byte()?;
                self.push(Object::Int(i64::from(value)))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Object::Int(i64::from(value)))?;
            }
            // BINFLOAT
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Object::Float(value))?;
            }
            // BINUNICODE
            b'X' => {
                let length = u32::from_le_bytes(self.array()?) as usize;
                let text = str::from_utf8(self.take(length)?).map_err(|_| "text is no UTF-8")?;
                let text = text.to_owned();
                self.push(Object::Text(text))?;
            }
            // BINPUT, LONG_BINPUT
            b'q' => {
                let key = u32::from(self.byte()?);
                self.remember(key)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.remember(key)?;
            }
            // BINGET, LONG_BINGET
            b'h' => {
                let key = u32::from(self.byte()?);
                self.recall(key)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }
            b'(' => {
                if self.marks.len() >= MOST_OBJECTS {
                    return Err("too many marks".into());
                }
                self.marks.push(self.stack.len());
            }
            // TUPLE, TUPLE1, TUPLE2, TUPLE3
            b't' => {
                let items = self.since_mark()?;
                self.push(Object::Tuple(items))?;
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let start = self.stack.len().checked_sub(count).ok_or("empty stack")?;
                self.check_mark(start)?;
                let items = self.stack.split_off(start);
                self.push(Object::Tuple(items))?;
            }
            // APPEND, APPENDS
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)?;
            }
            // SETITEM, SETITEMS
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(vec![key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set_items(items)?;
            }
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                let global = match (module.as_str(), name.as_str()) {
                    ("collections", "OrderedDict") => Global::OrderedDict,
                    ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensor,
                    ("torch", "FloatStorage") => Global::FloatStorage,
                    _ => {
                        return Err(format!(
                            "it names {:?}, expected nothing but tensors of f32",
                            format!("{module}.{name}")
                        ));
                    }
                };
                self.push(Object::Global(global))?;
            }
            // BINPERSID, REDUCE, BUILD
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(Object::Storage(storage))?;
            }
            b'R' => {
                let arguments = self.pop()?;
                let callee = self.pop()?;
                let made = self.call(callee, arguments)?;
                self.push(made)?;
            }
            b'b' => {
                // The state of an ordered dictionary: names of versions, which nothing here reads.
                self.pop()?;
                let target = *self.stack.last().ok_or("empty stack")?;
                if !matches!(self.objects[target], Object::Dict(_)) {
                    return Err("it builds what is no dictionary".into());
                }
            }
            b'.' => {
                let root = self.pop()?;
                if !self.stack.is_empty() || !self.marks.is_empty() {
                    return Err("it stops with something left on the stack".into());
                }
                return Ok(Some(root));
            }
            other => {
                return Err(format!(
                    "the opcode 0x{other:02x}, expected those of plain data and tensors"
                ));
            }
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let bytes = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.get(..count))
            .ok_or("it ends too early")?;
        self.at += count;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .take(200)
            .position(|byte| *byte == b'\n')
            .ok_or("a name does not end")?;
        let text = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Ok(text)
    }

    fn push(&mut self, object: Object) -> Result<(), String> {
        if self.objects.len() >= MOST_OBJECTS {
            return Err(format!("more than {MOST_OBJECTS} objects"));
        }
        self.stack.push(self.objects.len());
        self.objects.push(object);
        Ok(())
    }

    fn check_mark(&self, start: usize) -> Result<(), String> {
        match self.marks.last() {
            Some(&mark) if start < mark => Err("it reaches below a mark".into()),
            _ => Ok(()),
        }
    }

    fn pop(&mut self) -> Result<Id, String> {
        let start = self.stack.len().checked_sub(1).ok_or("empty stack")?;
        self.check_mark(start)?;
        self.stack.pop().ok_or_else(|| "empty stack".to_owned())
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("no mark")?;
        Ok(self.stack.split_off(mark))
    }

    fn remember(&mut self, key: u32) -> Result<(), String> {
        let id = *self.stack.last().ok_or("empty stack")?;
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), String> {
        let id = *self.memo.get(&key).ok_or("an unknown memo")?;
        if self.stack.len() >= MOST_OBJECTS {
            return Err("the stack is too high".into());
        }
        self.stack.push(id);
        Ok(())
    }

    fn append(&mut self, mut items: Vec<Id>) -> Result<(), String> {
        let target = *self.stack.last().ok_or("empty stack")?;
        match &mut self.objects[target] {
            Object::List(list) => list.append(&mut items),
            _ => return Err("it appends to what is no list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Id>) -> Result<(), String> {
        let target = *self.stack.last().ok_or("empty stack")?;
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("a key without a value".into());
        }
        match &mut self.objects[target] {
            Object::Dict(dict) => dict.extend(pairs.iter().map(|[key, value]| (*key, *value))),
            _ => return Err("it sets items of what is no dictionary".into()),
        }
        Ok(())
    }

    /// What `(storage, FloatStorage, key, device, length)` names.
    fn storage(&self, id: Id) -> Result<Storage, String> {
        let wrong = || "it names a storage that is no array of f32".to_owned();
        let Object::Tuple(parts) = &self.objects[id] else {
            return Err(wrong());
        };
        let parts: Vec<&Object> = parts.iter().map(|part| &self.objects[*part]).collect();
        match parts.as_slice() {
            [
                Object::Text(kind),
                Object::Global(Global::FloatStorage),
                Object::Text(key),
                Object::Text(_),
                Object::Int(len),
            ] if kind == "storage" => Ok(Storage {
                key: key.as_str().into(),
                len: usize::try_from(*len).map_err(|_| wrong())?,
            }),
            _ => Err(wrong()),
        }
    }

    /// An empty ordered dictionary, or a tensor of
    /// `(storage, offset, shape, strides, requires_grad, hooks)`.
    fn call(&self, callee: Id, arguments: Id) -> Result<Object, String> {
        let Object::Tuple(parts) = &self.objects[arguments] else {
            return Err("a call without a tuple of arguments".into());
        };
        let parts: Vec<&Object> = parts.iter().map(|part| &self.objects[*part]).collect();
        match (&self.objects[callee], parts.as_slice()) {
            (Object::Global(Global::OrderedDict), []) => Ok(Object::Dict(Vec::new())),
            (
                Object::Global(Global::RebuildTensor),
                [
                    Object::Storage(storage),
                    Object::Int(offset),
                    Object::Tuple(shape),
                    Object::Tuple(strides),
                    Object::Bool(_),
                    Object::Dict(_),
                ],
            ) => {
                let offset = usize::try_from(*offset).map_err(|_| "a negative offset")?;
                let shape = self.extents(shape)?;
                let strides = self.extents(strides)?;
                let mut count = 1_usize;
                let mut contiguous = shape.len() == strides.len();
                for (extent, stride) in shape.iter().zip(&strides).rev() {
                    contiguous &= *stride == count || *extent <= 1;
                    count = count.checked_mul(*extent).ok_or("a tensor too large")?;
                }
                if !contiguous {
                    return Err("a tensor that is not contiguous".into());
                }
                if offset
                    .checked_add(count)
                    .is_none_or(|end| end > storage.len)
                {
                    return Err("a tensor that is larger than its storage".into());
                }
                Ok(Object::Tensor(TensorView {
                    storage: storage.clone(),
                    offset,
                    shape,
                }))
            }
            _ => Err("a call of something else than a dictionary or a tensor".into()),
        }
    }

    fn extents(&self, items: &[Id]) -> Result<Vec<usize>, String> {
        if items.len() > 8 {
            return Err("a tensor of more than eight dimensions".into());
        }
        items
            .iter()
            .map(|item| match &self.objects[*item] {
                Object::Int(extent) => {
                    usize::try_from(*extent).map_err(|_| "a negative extent".to_owned())
                }
                _ => Err("an extent that is no number".into()),
            })
            .collect()
    }
}
