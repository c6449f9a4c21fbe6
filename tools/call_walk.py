"""How often `regressor` and `cfg` stay somewhere on their way through the calls of `run_video`.

python tools/call_walk.py [--list] [--parts]

The files are read, not run (`ast`). From `eftvideo.pipeline.run_video` on, the walk goes to each
function, method and constructor of the package that is called, or named as a value (a callback, an
entry of a table); methods are found by what annotations, constructors and `self.x = ...` say of a
value, those of a protocol in each class that has them all. Parts that `plugins.load` finds by name
are only entered with `--parts`.

Counted in the places that the walk reaches:

- *functions*: those that receive it as a parameter. That is a parameter annotated `Regressor`, or a
  class whose name ends in `Config`, also within a union or a container; or one named `regressor`
  or `cfg` that is not said to be a plain str or Tensor. A dataclass counts by its fields, once,
  unless it is a config itself. What only holds it (`self.cfg`, a Setup) does not receive it.
- *stays*: parameters that are named `regressor` or `cfg`, and each time that one so named, or an
  attribute of that name, is handed on: an argument of a call, or a member of a tuple.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Class:
    """A class of the package."""

    name: str
    module: Module
    node: ast.ClassDef
    methods: dict[str, Place] = field(default_factory=dict)
    fields: dict[str, ast.expr] = field(default_factory=dict)
    """Attributes and what they are said to be, in the class or in `__init__`."""

    @property
    def full(self) -> str:
        """Its name with the module's."""
        return f"{self.module.name}.{self.name}"

    @property
    def is_dataclass(self) -> bool:
        """Whether its constructor is made from its fields."""
        return any("dataclass" in ast.unparse(d) for d in self.node.decorator_list)

    @property
    def is_protocol(self) -> bool:
        """Whether it only says what others have."""
        return any("Protocol" in ast.unparse(b) for b in self.node.bases)


@dataclass(eq=False)
class Place:
    """A function, a method or the constructor of a dataclass: where an argument can stay."""

    name: str
    module: Module
    node: Function | ast.ClassDef
    owner: Class | None = None

    def parameters(self) -> Iterator[tuple[str, ast.expr | None]]:
        """Name and annotation of each, without `self` and `cls`."""
        if isinstance(self.node, ast.ClassDef):
            for item in self.node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    yield item.target.id, item.annotation
            return
        a = self.node.args
        every = [*a.posonlyargs, *a.args, *([a.vararg] if a.vararg else []), *a.kwonlyargs]
        for arg in every:
            if arg.arg not in ("self", "cls"):
                yield arg.arg, arg.annotation


@dataclass
class Module:
    """A file of the package."""

    name: str
    tree: ast.Module
    imports: dict[str, str] = field(default_factory=dict)
    """Alias to the full dotted name, imports within functions included."""
    functions: dict[str, Place] = field(default_factory=dict)
    classes: dict[str, Class] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)
    """What is assigned at the top, such as a table of functions."""


@dataclass(frozen=True)
class Value:
    """What a module assigns to a name at its top: a table of functions, another name of a type."""

    expression: ast.expr
    module: Module


@dataclass(frozen=True)
class Kind:
    """What is known of a value: classes it may be of, those of what it contains, those it is."""

    classes: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()
    makes: frozenset[str] = frozenset()

    @classmethod
    def any_of(cls, kinds: Iterable[Kind]) -> Kind:
        """One of them, it is not known which."""
        each = list(kinds)
        return cls(
            frozenset().union(*(k.classes for k in each)),
            frozenset().union(*(k.inside for k in each)),
            frozenset().union(*(k.makes for k in each)),
        )

    @property
    def item(self) -> Kind:
        """What one that is taken out of it is."""
        return Kind(self.inside, self.inside)

    @property
    def listed(self) -> Kind:
        """A container of it."""
        return Kind(inside=self.classes | self.inside)


class Package:
    """All files of a package, read but not run."""

    def __init__(self, folder: Path, parts: bool = False) -> None:
        """`parts`: whether `plugins.load` is known to return something."""
        self.name, self.parts = folder.name, parts
        self.modules: dict[str, Module] = {}
        for path in sorted(folder.rglob("*.py")):
            parts = [self.name, *path.relative_to(folder).with_suffix("").parts]
            name = ".".join(parts).removesuffix(".__init__")
            self.modules[name] = _module(name, ast.parse(path.read_text(encoding="utf-8")))

    def find(self, name: str, depth: int = 0) -> Module | Class | Place | Value | None:
        """What a full dotted name means; names that a module only imports are followed."""
        if name in self.modules:
            return self.modules[name]
        home, _, last = name.rpartition(".")
        module = self.modules.get(home)
        if module is None or depth > 8:
            owner = self.find(home, depth + 1) if home and depth <= 8 else None
            return owner.methods.get(last) if isinstance(owner, Class) else None
        for table in (module.functions, module.classes):
            if last in table:
                return table[last]
        if last in module.values:
            return Value(module.values[last], module)
        return self.find(module.imports[last], depth + 1) if last in module.imports else None

    def classes(self) -> Iterator[Class]:
        """Every class."""
        for module in self.modules.values():
            yield from module.classes.values()

    def lineage(self, cls: Class) -> list[Class]:
        """The class, then its bases and theirs."""
        bases = (self.find(self.full(ast.unparse(b), cls.module)) for b in cls.node.bases)
        return [cls, *(c for b in bases if isinstance(b, Class) for c in self.lineage(b))]

    def method(self, cls: Class, name: str) -> list[Place]:
        """A method of a class or its bases; of a protocol, those of all that keep to it."""
        if cls.is_protocol and name in cls.methods:
            asked = set(cls.methods)
            keep = (c for c in self.classes() if asked <= set(c.methods))
            return [c.methods[name] for c in keep]
        return [c.methods[name] for c in self.lineage(cls) if name in c.methods][:1]

    def models(self, kind: str, name: str | None) -> Kind:
        """What `plugins.load` may return: the part of that name, all of the kind for None."""
        if not self.parts:
            return Kind()
        home = f"{self.name}.{kind}."
        found = (
            c.full
            for c in self.classes()
            if c.name == "Model"
            and c.module.name.startswith(home)
            and (name is None or c.module.name == home + name)
            and not c.module.name.removeprefix(home).startswith("_")
        )
        return Kind(makes=frozenset(found))

    def full(self, name: str, module: Module) -> str:
        """A name as a module writes it, from the root."""
        first, dot, rest = name.partition(".")
        return module.imports.get(first, f"{module.name}.{first}") + dot + rest

    def said(self, annotation: ast.expr | None, module: Module) -> Kind:
        """What an annotation says."""
        if annotation is None:
            return Kind()
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            return self.said(ast.parse(annotation.value, mode="eval").body, module)
        if isinstance(annotation, ast.BinOp):
            left, right = (self.said(a, module) for a in (annotation.left, annotation.right))
            return Kind.any_of([left, right])
        if isinstance(annotation, ast.Subscript):
            inner = annotation.slice
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            kinds = [self.said(p, module) for p in parts if not isinstance(p, ast.List)]
            if ast.unparse(annotation.value) in ("type", "Callable"):
                return Kind(makes=Kind.any_of(kinds).classes)
            return Kind.any_of(kinds).listed
        if isinstance(annotation, ast.Name | ast.Attribute):
            found = self.find(self.full(ast.unparse(annotation), module))
            if isinstance(found, Class):
                return Kind(frozenset({found.full}))
            if isinstance(found, Value):
                return self.said(found.expression, found.module)
        return Kind()


def _module(name: str, tree: ast.Module) -> Module:
    module = Module(name, tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                module.imports[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                bare = alias.name.partition(".")[0]
                module.imports[alias.asname or bare] = alias.name if alias.asname else bare
    for node in tree.body:
        if isinstance(node, Function):
            module.functions[node.name] = Place(f"{name}.{node.name}", module, node)
        elif isinstance(node, ast.ClassDef):
            module.classes[node.name] = _class(module, node)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    module.values[target.id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            module.values[node.target.id] = node.value
    return module


def _class(module: Module, node: ast.ClassDef) -> Class:
    cls = Class(node.name, module, node)
    for item in node.body:
        if isinstance(item, Function):
            name = f"{module.name}.{node.name}.{item.name}"
            cls.methods[item.name] = Place(name, module, item, cls)
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            cls.fields[item.target.id] = item.annotation
    if cls.is_dataclass and "__init__" not in cls.methods:
        made = Place(f"{module.name}.{node.name}.__init__", module, node, cls)
        cls.methods["__init__"] = made
    return cls


class Reader:
    """Reads one function: which places it calls or hands on."""

    def __init__(self, package: Package, place: Place) -> None:
        self.package, self.place, self.module = package, place, place.module
        self.known: dict[str, Kind] = {}
        if place.owner is not None:
            me = frozenset({place.owner.full})
            self.known |= {"self": Kind(me), "cls": Kind(makes=me)}
        if not isinstance(place.node, ast.ClassDef):
            for _ in range(2):  # what is assigned below may be used above, in a loop
                for node in ast.walk(place.node):
                    self._learn(node)

    def _learn(self, node: ast.AST) -> None:
        if isinstance(node, ast.arg) and node.arg not in ("self", "cls"):
            self.known[node.arg] = self.package.said(node.annotation, self.module)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind(target, node.value, self.kind(node.value))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            self.known[node.target.id] = self.package.said(node.annotation, self.module)
        elif isinstance(node, ast.NamedExpr):
            self._bind(node.target, node.value, self.kind(node.value))
        elif isinstance(node, ast.For | ast.comprehension):
            self._loop(node.target, node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            kind = self.kind(node.context_expr)
            entered = Kind(kind.classes | kind.inside)  # Iterator[X] of a context manager
            self._bind(node.optional_vars, node.context_expr, entered)

    def _bind(self, target: ast.expr, value: ast.expr | None, kind: Kind) -> None:
        if isinstance(target, ast.Name):
            self.known[target.id] = Kind.any_of([self.known.get(target.id, Kind()), kind])
        elif isinstance(target, ast.Tuple):
            for one, part in _pairs(target, value):
                self._bind(one, part, kind.item if part is None else self.kind(part))

    def _loop(self, target: ast.expr, over: ast.expr) -> None:
        if isinstance(over, ast.Call) and isinstance(target, ast.Tuple):
            what = ast.unparse(over.func)
            if what in ("zip", "enumerate"):
                goals = target.elts if what == "zip" else target.elts[1:]
                for one, each in zip(goals, over.args, strict=False):
                    self._loop(one, each)
                return
        kind = self.kind(over)
        iterated = (self._answer(m) for m in self._methods(kind, "__iter__"))
        self._bind(target, over, Kind.any_of([kind, *iterated]).item)
        if isinstance(target, ast.Name) and isinstance(over, ast.Tuple | ast.List):
            self._bind(target, None, Kind.any_of(self.kind(e) for e in over.elts))

    def _classes(self, names: Iterable[str]) -> list[Class]:
        found = (self.package.find(name) for name in sorted(names))
        return [c for c in found if isinstance(c, Class)]

    def _methods(self, kind: Kind, name: str) -> list[Place]:
        owners = self._classes(kind.classes | kind.makes)
        return [m for c in owners for m in self.package.method(c, name)]

    def _answer(self, place: Place) -> Kind:
        if isinstance(place.node, ast.ClassDef):
            return Kind()
        if place.node.returns is not None and "Self" in ast.unparse(place.node.returns):
            return Kind(frozenset({place.owner.full} if place.owner else ()))
        if _is_property(place):
            return Kind()  # whoever reads it asks `_of_attribute`
        return self.package.said(place.node.returns, place.module)

    def kind(self, value: ast.expr) -> Kind:
        """What is known of an expression."""
        match value:
            case ast.Name():
                return self.known.get(value.id, Kind())
            case ast.Call():
                return self._of_call(value)
            case ast.Attribute():
                return self._of_attribute(value)
            case ast.Subscript():
                kind = self.kind(value.value)
                return kind if isinstance(value.slice, ast.Slice) else kind.item
            case ast.IfExp():
                return Kind.any_of([self.kind(value.body), self.kind(value.orelse)])
            case ast.BoolOp():
                return Kind.any_of(map(self.kind, value.values))
            case ast.List() | ast.Tuple() | ast.Set():
                return Kind.any_of(map(self.kind, value.elts)).listed
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return self.kind(value.elt).listed
            case ast.Await() | ast.Starred():
                return self.kind(value.value)
        return Kind()

    def _of_attribute(self, value: ast.Attribute) -> Kind:
        kinds = []
        for cls in self._classes(self.kind(value.value).classes):
            for owner in self.package.lineage(cls):
                if value.attr in owner.fields:
                    kinds.append(self.package.said(owner.fields[value.attr], owner.module))
                elif value.attr in owner.methods:
                    node = owner.methods[value.attr].node
                    if not isinstance(node, ast.ClassDef) and _is_property(
                        owner.methods[value.attr]
                    ):
                        kinds.append(self.package.said(node.returns, owner.module))
                else:
                    kinds.append(self._set_in_init(owner, value.attr))
        return Kind.any_of(kinds)

    def _set_in_init(self, cls: Class, attribute: str) -> Kind:
        init = cls.methods.get("__init__")
        if init is None or isinstance(init.node, ast.ClassDef) or init is self.place:
            return Kind()
        for node in ast.walk(init.node):
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == f"self.{attribute}":
                return self.package.said(node.annotation, cls.module)
            for target in node.targets if isinstance(node, ast.Assign) else []:
                for one, value in _pairs(target, node.value):
                    if value is not None and ast.unparse(one) == f"self.{attribute}":
                        return Reader(self.package, init).kind(value)
        return Kind()

    def _of_call(self, call: ast.Call) -> Kind:
        what, first = ast.unparse(call.func), call.args[0] if call.args else None
        if first is not None and what in ("replace", "copy", "deepcopy", "list", "sorted", "tuple"):
            return self.kind(first)
        if first is not None and what in ("next", "min", "max"):
            return self.kind(first).item
        kinds = []
        for meant in self.meant(call.func):
            if isinstance(meant, Class):
                kinds.append(Kind(frozenset({meant.full})))
            elif meant.name.endswith(".plugins.load") and isinstance(first, ast.Constant):
                part = call.args[1]
                known = part.value if isinstance(part, ast.Constant) else None
                kinds.append(self.package.models(str(first.value), known))
            else:
                kinds.append(self._answer(meant))
        if ast.unparse(call.func).endswith(".enter_context") and first is not None:
            kinds.append(self.kind(first))
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("to", "eval") and not kinds:
            kinds.append(self.kind(call.func.value))  # a torch module is returned
        return Kind.any_of(kinds)

    def meant(self, value: ast.expr) -> list[Class | Place]:
        """The classes and places of the package that an expression may mean."""
        if isinstance(value, ast.Name) and value.id in self.known:
            return list(self._classes(self.known[value.id].makes))
        if isinstance(value, ast.Call | ast.Subscript):
            return list(self._classes(self.kind(value).makes))
        if isinstance(value, ast.Attribute):
            kind = self.kind(value.value)
            if methods := self._methods(kind, value.attr):
                return list(methods)
            if made := self._of_attribute(value).makes:
                return list(self._classes(made))
        if not isinstance(value, ast.Name | ast.Attribute):
            return []
        return self._named(self.package.full(ast.unparse(value), self.module))

    def _named(self, name: str) -> list[Class | Place]:
        found = self.package.find(name)
        if isinstance(found, Value):
            names = [
                n for n in ast.walk(found.expression) if isinstance(n, ast.Name | ast.Attribute)
            ]
            each = (
                self.package.find(self.package.full(ast.unparse(n), found.module)) for n in names
            )
            return [f for f in each if isinstance(f, Class | Place)]
        return [found] if isinstance(found, Class | Place) else []

    def calls(self) -> Iterator[Place]:
        """Places that are called, or handed on as a value to be called elsewhere."""
        if isinstance(self.place.node, ast.ClassDef):
            return
        node = self.place.node
        called = {id(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
        passed = {id(a) for n in ast.walk(node) if isinstance(n, ast.Call) for a in _handed(n)}
        for part in [*node.body, *node.decorator_list, *node.args.defaults, *node.args.kw_defaults]:
            for inner in ast.walk(part) if part is not None else ():
                if isinstance(inner, Function):
                    name = f"{self.place.name}.{inner.name}"
                    yield Place(name, self.module, inner, self.place.owner)
                for meant in self.meant(inner) if isinstance(inner, ast.expr) else ():
                    if isinstance(meant, Place):
                        yield meant
                    elif id(inner) in called | passed:
                        yield from self._made(meant)

    def _made(self, cls: Class) -> Iterator[Place]:
        """The constructor, and what Python calls of an instance without a name to be seen."""
        for owner in self.package.lineage(cls):
            for name, method in owner.methods.items():
                if name == "forward" or (name.startswith("__") and name.endswith("__")):
                    yield method


def _handed(call: ast.Call) -> list[ast.expr]:
    if ast.unparse(call.func) in ("isinstance", "issubclass", "cast"):
        return []
    return [*call.args, *(k.value for k in call.keywords)]


def _is_property(place: Place) -> bool:
    decorators = () if isinstance(place.node, ast.ClassDef) else place.node.decorator_list
    return any("property" in ast.unparse(d) for d in decorators)


def _pairs(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    if not isinstance(target, ast.Tuple):
        yield target, value
    elif isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
        yield from zip(target.elts, value.elts, strict=True)
    else:
        yield from ((one, None) for one in target.elts)


def walk(package: Package, entry: str) -> dict[Place, list[Place]]:
    """Every place that can be reached from `entry`, with those that it calls."""
    start = package.find(entry)
    if not isinstance(start, Place):
        raise SystemExit(f"{entry} is no function of the package")
    found: dict[Place, list[Place]] = {}
    waiting = [start]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found[place] = list(Reader(package, place).calls())
            waiting += found[place]
    return found


ARGUMENTS = {"regressor": r"\bRegressor\b", "cfg": r"\w*Config\b"}
"""Names of parameters, and how the classes of what they hold are called."""
_PLAIN = r"(str|Tensor)( \| None)?"


def receives(place: Place, argument: str) -> bool:
    """Whether a parameter is the argument, by its annotation or its name."""
    if isinstance(place.node, ast.ClassDef) and place.node.name.endswith("Config"):
        return False
    said = [(name, ast.unparse(note) if note else "") for name, note in place.parameters()]
    return any(
        re.search(ARGUMENTS[argument], note)
        or (name == argument and not re.fullmatch(_PLAIN, note))
        for name, note in said
    )


def stays(place: Place, argument: str) -> int:
    """Parameters of this name, and how often something of this name is handed on."""
    if isinstance(place.node, ast.ClassDef) and not receives(place, argument):
        return 0
    num = sum(name == argument for name, _ in place.parameters())
    if isinstance(place.node, ast.ClassDef):
        return num
    for node in ast.walk(place.node):
        handed: list[ast.expr] = []
        if isinstance(node, ast.Call):
            handed = [*node.args, *(k.value for k in node.keywords)]
        elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
            handed = node.elts
        num += sum(_last_name(value) == argument for value in handed)
    return num


def _last_name(value: ast.expr) -> str:
    if isinstance(value, ast.Attribute):
        of_config = _last_name(value.value) == "cfg"  # cfg.regressor is a name
        return "" if of_config else value.attr
    return value.id if isinstance(value, ast.Name) else ""


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="each place, with its stays")
    parser.add_argument("--parts", action="store_true", help="enter what plugins.load finds too")
    options = parser.parse_args()
    package = Package(Path(__file__).parents[1] / "eftvideo", options.parts)
    reached = sorted(walk(package, "eftvideo.pipeline.run_video"), key=lambda p: p.name)
    print(f"reached: {len(reached)} functions, methods and constructors")
    for argument in ARGUMENTS:
        given = [p for p in reached if receives(p, argument)]
        num = sum(stays(p, argument) for p in reached)
        print(f"{argument}: {len(given)} functions receive it, {num} stays")
        for place in reached if options.list else ():
            mark = "*" if place in given else " "
            if place in given or stays(place, argument):
                print(f"  {mark} {stays(place, argument):2d} {place.name}")


if __name__ == "__main__":
    main()
