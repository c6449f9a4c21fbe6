"""Which functions, methods and constructors of a package call which, as far as can be read."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from call_package import Class, Function, Kind, Package, Place, Value


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
