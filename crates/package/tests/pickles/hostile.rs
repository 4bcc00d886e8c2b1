//! Files that would do harm, by each way around a scanner that is known to us: none of them is trusted, and what they name is
//! named. (From the advisories of picklescan, fickling and modelscan, and from reading Python's unpicklers.)

use crate::assemble::{PROTO_4, all, call, import, item, pickle, text};
use crate::{distrusted, inspect_bytes};

/// Callables that run what they are given, or reach what does.
const GADGETS: &str = "os.system posix.system nt.system subprocess.Popen pty.spawn builtins.eval builtins.exec \
    builtins.getattr builtins.__import__ builtins.open builtins.type builtins.map builtins.compile __builtin__.eval \
    __builtin__.apply _pickle.loads pickle.loads pickle._loads marshal.loads dill.loads cloudpickle.loads joblib.load \
    joblib.numpy_pickle.load numpy.load numpy.memmap numpy.testing._private.utils.runstring numpy._core._ufunc_reconstruct \
    numpy.core._ufunc_reconstruct numpy.f2py.crackfortran.myeval numpy.f2py.crackfortran.getlincoef \
    scipy.stats._distn_infrastructure.rv_continuous pandas.io.pickle.read_pickle pandas.eval pandas.read_pickle \
    sklearn.datasets._base.urlretrieve sklearn.utils.parallel.Parallel sklearn.externals._arff.load \
    torch._inductor.codecache.compile_file torch.serialization.load torch.utils.collect_env.run \
    torch.jit.unsupported_tensor_ops.execWrapper torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression \
    torch.utils._config_module.load_config torch.utils.bottleneck.__main__.run_cprofile torch.distributed.run.main \
    pip.main pip._internal.main ensurepip._run_pip pydoc.pipepager pydoc.locate timeit.timeit timeit.main cProfile.run \
    profile.run profile.Profile.runctx trace.Trace.run bdb.Bdb.run doctest.debug_script code.InteractiveInterpreter.runcode \
    idlelib.pyshell.ModifiedInterpreter.runcode idlelib.autocomplete.AutoComplete.fetch_completions \
    lib2to3.pgen2.pgen.ParserGenerator.make_label lib2to3.pgen2.grammar.Grammar.loads \
    asyncio.unix_events._UnixSubprocessTransport._start asyncio.create_subprocess_shell runpy.run_path runpy._run_code \
    importlib.import_module importlib.reload importlib.util.spec_from_file_location pkgutil.resolve_name \
    functools.reduce operator.attrgetter operator.methodcaller _operator.attrgetter itertools.starmap types.FunctionType \
    types.CodeType ctypes.CDLL cffi.FFI collections.namedtuple copyreg.add_extension codecs.open io.open _io.FileIO io.FileIO \
    shutil.rmtree shutil.copyfile os.remove distutils.file_util.write_file linecache.getline urllib.request.urlopen \
    http.client.HTTPSConnection ssl.get_server_certificate socket.create_connection webbrowser.open requests.get aiohttp.client.ClientSession \
    logging.config.listen multiprocessing.util.spawnv_passfds uuid._get_command_stdout _osx_support._read_output \
    _aix_support._read_cmd_output _pyrepl.pager.pipe_pager imaplib.IMAP4_stream sysconfig._main test.support.script_helper.assert_python_ok \
    venv.create zipimport.zipimporter smtplib.SMTP signal.signal sys.setprofile threading.Thread atexit.register \
    commands.getoutput __main__.Model tensorflow.io.write_file keras.models.load_model";

#[test]
fn every_gadget_is_named_however_it_is_reached() {
    for gadget in GADGETS.split_ascii_whitespace() {
        let (module, name) = gadget.rsplit_once('.').unwrap();
        let by_text = format!("c{module}\n{name}\n(S'id'\ntR.");
        let by_inst = format!("(S'id'\ni{module}\n{name}\n.");
        let by_obj = format!("(c{module}\n{name}\nS'id'\no.");
        let new = all(&[&import(module, name), b")\x81"]);
        let new_with_keywords = all(&[&import(module, name), b")}\x92"]);
        for bytes in [
            by_text.into_bytes(),
            by_inst.into_bytes(),
            by_obj.into_bytes(),
            pickle(&call(module, name, "id")),
            pickle(&import(module, name)),
            pickle(&new),
            pickle(&new_with_keywords),
            // Called, and thrown away: what stays is harmless.
            pickle(&all(&[&call(module, name, "id"), b"0}"])),
        ] {
            assert!(distrusted(&bytes).contains(gadget), "{gadget}: {bytes:?}");
        }
    }
}

#[test]
fn names_with_dots_are_never_known() {
    // From protocol 4 on they reach through attributes.
    for (module, name) in [
        ("builtins", "object.__subclasses__"),
        ("sklearn.pipeline", "Pipeline.fit"),
        ("sklearn.pipeline", "Pipeline.fit.__globals__"),
        ("sklearn", "base.os.system"),
        ("numpy", "ndarray.tofile"),
        ("collections", "OrderedDict.__init__.__globals__"),
    ] {
        assert!(distrusted(&pickle(&import(module, name))).contains(name));
    }
    for (module, name) in [
        ("sklearn.pipeline\nos", "Pipeline"),
        ("", "Pipeline"),
        ("sklearn..x", "Pipeline"),
        (".sklearn", "Pipeline"),
    ] {
        distrusted(&pickle(&import(module, name)));
    }
}

#[test]
fn names_are_followed_through_memo_and_stack() {
    let system = text("system");
    for body in [
        // From the memo, where they were put before, under a name that was overwritten, and by MEMOIZE at its count.
        all(&[&text("os"), b"q\x00", &system, b"q\x0100h\x00h\x01\x93"]),
        all(&[&text("sklearn"), b"q\x000", &text("os"), b"q\x000h\x00", &system, b"\x93"]),
        all(&[&text("x"), b"q\x050", &text("os"), b"\x940h\x01", &system, b"\x93"]),
        // Around a mark, and behind things that are thrown away.
        all(&[&text("os"), b"(N1", &system, b"\x93"]),
        all(&[&text("os"), b"(0", &system, b"\x93"]),
        // In the spellings of old protocols.
        b"S'os'\nS\"system\"\n\x93".to_vec(),
        b"V\\u006fs\nVsyste\\u006d\n\x93".to_vec(),
        b"U\x02osT\x06\x00\x00\x00system\x93".to_vec(),
        all(&[b"X\x02\x00\x00\x00os", b"\x8d\x06\x00\x00\x00\x00\x00\x00\x00system", b"\x93"]),
    ] {
        assert!(distrusted(&pickle(&body)).contains("os.system"), "{body:?}");
    }
    assert!(distrusted(&pickle(&all(&[&text("pty"), b"2\x93"]))).contains("pty.pty"));
}

#[test]
fn a_name_that_is_not_written_in_the_file_is_reported() {
    let made = call("builtins", "str", "os");
    for module in [&made[..], b"S'\\x6fs'\n", b"N", b"K\x01", b"]", b"C\x02os", b"\x8c\x02\xff\xff"] {
        let found = distrusted(&pickle(&all(&[module, &text("system"), b"\x93"])));
        assert!(found.contains("whose name is not written in the file"), "{found}");
    }
}

#[test]
fn what_lies_outside_of_the_file_is_reported() {
    for (body, words) in [
        (&b"\x82\x01"[..], "by its number"),
        (b"\x83\x01\x00", "by its number"),
        (b"\x84\x01\x00\x00\x00", "by its number"),
        (b"Pid\n", "persistent id"),
        (b"K\x01Q", "persistent id"),
        (b"\x97", "out of band"),
    ] {
        assert!(distrusted(&pickle(body)).contains(words));
    }
}

#[test]
fn only_imports_are_called_and_only_what_the_file_made_is_changed() {
    let scaler = import("sklearn.preprocessing._data", "StandardScaler");
    let partial = all(&[&import("functools", "partial"), &import("builtins", "str"), b"\x85R"]);
    for (body, words) in [
        (all(&[&partial, b")R"]), "a call of something that is not an import"),
        (all(&[&scaler, b")\x81)R"]), "a call of something that is not an import"),
        (all(&[&scaler, b"]R"]), "not a plain tuple"),
        (all(&[&scaler, &partial, b"\x81"]), "not a plain tuple"),
        // Sets an attribute of the class itself, for everybody.
        (all(&[&scaler, b"N}", &item("fit", b"N"), b"\x86b"]), "a change of something"),
        (all(&[&scaler, &item("fit", b"N")]), "items for something"),
        (all(&[&scaler, b"(N\x90"]), "items for something"),
        (all(&[&scaler, b"Na"]), "items for something"),
    ] {
        assert!(distrusted(&pickle(&body)).contains(words), "{body:?}");
    }
    let partial = all(&[&import("functools", "partial"), &import("os", "system"), b"\x85R"]);
    assert!(distrusted(&pickle(&partial)).contains("os.system"));
    let default = all(&[&import("collections", "defaultdict"), &import("os", "abort"), b"\x85R"]);
    assert!(distrusted(&pickle(&default)).contains("os.abort"));
}

#[test]
fn nothing_hides_behind_the_end() {
    let harmless = pickle(b"}");
    let found = distrusted(&all(&[&harmless, &pickle(&call("os", "system", "id"))]));
    assert!(found.contains("os.system") && found.contains("behind the end"), "{found}");
    let many = all(&[&harmless.repeat(5), b"cos\nsystem\n."]);
    assert!(distrusted(&many).contains("os.system"));
    assert!(distrusted(&all(&[&harmless, b"\xff\xff"])).contains("behind the end"));
    assert!(distrusted(&all(&[&harmless, b"\0"])).contains("behind the end"));
}

#[test]
fn a_stream_that_breaks_after_the_harm_is_done_names_it() {
    for end in [&b""[..], b"\xff", b"h\x63", b"R", b"0000.", b"X\xff\xff\xff\xff"] {
        let found = distrusted(&all(&[PROTO_4, &call("os", "system", "id"), end]));
        assert!(found.contains("os.system"), "{found}");
    }
    // Without a mark of its protocol too.
    assert!(distrusted(b"cos\nsystem\n(S'id'\ntR\xff").contains("os.system"));
}

#[test]
fn frames_that_the_two_unpicklers_read_differently_are_damage() {
    let frame = |len: u64| [b"\x95".to_vec(), len.to_le_bytes().to_vec()].concat();
    for body in [
        all(&[&frame(20), &frame(1), b"N"]),
        all(&[&frame(3), &text("longer than that")]),
        all(&[&frame(100), b"N"]),
        frame(u64::MAX),
    ] {
        assert!(distrusted(&pickle(&body)).contains("frame"), "{body:?}");
    }
    assert!(inspect_bytes(&all(&[PROTO_4, &frame(2), b"N."])).unwrap().unwrap().unknown().is_empty());
}

#[test]
fn a_dtype_that_lies_about_its_objects_is_reported() {
    let dtype = |code: &str, state: &[u8]| {
        all(&[&import("numpy", "dtype"), &text(code), b"\x89\x88\x87R(K\x03", state])
    };
    let object = dtype("O8", &all(&[&text("|"), b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb"]));
    let record = |flags: &[u8]| {
        let fields = all(&[b"}", &item("a", &all(&[&object, b"K\x00\x86"]))]);
        dtype("V8", &all(&[&text("|"), b"N", &text("a"), b"\x85", &fields, b"K\x08K\x01K", flags, b"tb"]))
    };
    assert!(inspect_bytes(&pickle(&record(b"\x1b"))).unwrap().unwrap().unknown().is_empty());
    // No objects, or objects that are not pickled as a list: pointers of bytes that the file chose.
    for flags in [b"\x00", b"\x01", b"\x10"] {
        assert!(distrusted(&pickle(&record(flags))).contains("a numpy dtype that is written"));
    }
    let size = dtype("S1", &all(&[&text("|"), b"NNNJ\x00\x00\x00\x01K\x01K\x00tb"]));
    let again = all(&[&object, b"Nb"]);
    // Made in another way, so that its state would not be looked at.
    let class = import("numpy", "dtype");
    let by_helper = all(&[&import("copyreg", "_reconstructor"), &class, &class, &text("O8"), b"\x87R"]);
    let by_new = all(&[&import("copyreg", "__newobj__"), &class, &text("O8"), b"\x86R"]);
    let by_sklearn = all(&[&import("sklearn.neighbors._kd_tree", "newObj"), &class, b"\x85R"]);
    for body in [size, again, by_helper, by_new, by_sklearn] {
        assert!(distrusted(&pickle(&body)).contains("a numpy dtype that is written"));
    }
}

#[test]
fn a_name_cannot_write_to_the_terminal() {
    let name = format!("\x1b[2Jsystem{}", "x".repeat(230));
    for bytes in [pickle(&import("os", &name)), all(&[PROTO_4, &import("os", &name), b"\xff"])] {
        let found = distrusted(&bytes);
        assert!(found.contains("os.\u{fffd}[2Jsystem") && found.len() < 400, "{found:?}");
    }
}
