"""The functions and classes of a package, and what is said of values, read from its files."""

from __future__ import annotations

import ast
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
            keep = [c for c in self.classes() if asked <= set(c.methods) and not c.is_protocol]
            return [c.methods[name] for c in keep or [cls]]
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
